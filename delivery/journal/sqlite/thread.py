"""The one thread that touches an SQLite journal's file, and the way to it and back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeAlias, TypeVar

import outcome
import trio

from greenroom.actors.exit import must_go_on
from greenroom.actors.reply import Reply
from greenroom.delivery.errors import JournalClosed

R = TypeVar("R")

LOOK_SECONDS: Final = 0.25
"""Between two looks at the files, whether there are calls or not."""

logger = logging.getLogger("greenroom.delivery")


class SqliteThread:
    """Runs calls one after the other, in the order they came.

    `capacity` calls may wait; further callers wait for room. `look`, once it is set, is called
    every `LOOK_SECONDS`, between two calls, until `aclose`. The thread is a daemon, and ends by
    itself when the trio run it answers to is gone: it never keeps a process alive.
    """

    def __init__(self, *, capacity: int) -> None:
        self.look: Callable[[], None] = _look_at_nothing
        self._jobs: _Queue = SimpleQueue()
        self._room: Final = trio.Semaphore(capacity)
        self._capacity: Final = capacity
        self._closing = False
        self._closed = trio.Event()
        self._thread = threading.Thread(target=self._run, name="greenroom journal", daemon=True)
        self._thread.start()
        self.peak = 0

    @property
    def waiting(self) -> int:
        """Calls given to the thread and not answered."""
        return self._capacity - self._room.value

    async def call(self, work: Callable[[], R]) -> R:
        """What `work()` returns or raises. A cancelled caller stops waiting; the call is made.

        Raises `JournalClosed` once `aclose` has begun.
        """
        self._check_open()
        await self._room.acquire()
        job = _Job(work, self._room.release)
        try:
            self._check_open()
        except JournalClosed:
            self._room.release()
            raise
        self.peak = max(self.peak, self.waiting)
        self._jobs.put(job)  # type: ignore[arg-type]  # run, whatever its R
        return await job.reply.wait()

    async def aclose(self, last: Callable[[], None]) -> None:
        """Finish the calls already given, make the `last` one and end, even if cancelled.

        Raises what `last` raises. Again: waits for the first time to be done.
        """
        with trio.CancelScope(shield=True):
            if self._closing:
                await self._closed.wait()
            else:
                self._closing = True
                await self._end(last)

    async def _end(self, last: Callable[[], None]) -> None:
        job = _Job(last, self._closed.set)
        self._jobs.put(job)
        self._jobs.put(None)
        try:
            await job.reply.wait()
        finally:
            self._thread.join()  # it has nothing left to do

    def _check_open(self) -> None:
        if self._closing:
            raise JournalClosed("the journal is closed")

    def _run(self) -> None:
        due = time.monotonic() + LOOK_SECONDS
        while True:
            with suppress(Empty):
                job = self._jobs.get(timeout=max(0.0, due - time.monotonic()))
                if job is None:
                    return
                self._run_job(job)
            if time.monotonic() >= due and not self._closing:
                self._look()
                due = time.monotonic() + LOOK_SECONDS

    def _run_job(self, job: _Job[None]) -> None:
        try:
            job.run()
        except trio.RunFinishedError:
            self._jobs.put(None)  # what is queued is still done

    def _look(self) -> None:
        try:
            self.look()
        except BaseException as error:
            if must_go_on(error):
                raise
            logger.exception("looking at the journal's files failed")


def _look_at_nothing() -> None:
    """No file is open yet."""


class _Job(Generic[R]):
    """A call, and the way back to the task that waits for it."""

    def __init__(self, work: Callable[[], R], done: Callable[[], None]) -> None:
        self.reply: Reply[R] = Reply()
        self._work = work
        self._done = done
        self._token = trio.lowlevel.current_trio_token()

    def run(self) -> None:
        """On the thread. Raises `trio.RunFinishedError` when nobody is left to answer."""
        result = outcome.capture(self._work)
        self._token.run_sync_soon(self._finish, result)

    def _finish(self, result: outcome.Value[R] | outcome.Error) -> None:
        self._done()
        if isinstance(result, outcome.Error):
            self.reply.fail(result.error)
        else:
            self.reply.succeed(result.value)


_Queue: TypeAlias = "SimpleQueue[_Job[None] | None]"
