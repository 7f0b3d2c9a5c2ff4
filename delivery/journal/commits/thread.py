"""The only thread that writes to a journal's database, and the calls to it."""

from __future__ import annotations

import enum
import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeAlias, TypeVar

import outcome
import trio

from greenroom.actors.exit import must_go_on
from greenroom.actors.reactors.callbacks import default_callbacks
from greenroom.actors.reactors.own_thread import check_thread
from greenroom.actors.reply import Reply
from greenroom.delivery.errors import JournalClosed

R = TypeVar("R")

LOOK_SECONDS: Final = 0.25
"""Seconds between two checks of the files, whether there are calls or not."""

logger = logging.getLogger("greenroom.delivery")


class JournalThread:
    """Runs calls one after the other, in the order of arrival.

    At most `capacity` calls may wait; further callers wait for room. Once set, `look` is called
    every `LOOK_SECONDS`, between two calls, until `aclose`; and `work` after each `wake`, and
    again after the seconds that it returned, if any. The thread is a daemon, and ends by itself
    when its trio run has ended: it never keeps a process alive.
    """

    def __init__(self, *, capacity: int) -> None:
        self.look: Callable[[], None] = _nothing_to_do
        self.work: Callable[[], float | None] = _nothing_to_do
        self._work_at = math.inf
        self._jobs: _Queue = SimpleQueue()
        self._room: Final = trio.Semaphore(capacity)
        self._capacity: Final = capacity
        self._closing = False
        self._closed = trio.Event()
        self._caller = threading.get_ident()
        self._thread = threading.Thread(target=self._run, name="greenroom journal", daemon=True)
        self._thread.start()

    @property
    def room(self) -> trio.Semaphore:
        """A place for each call that may wait."""
        return self._room

    @property
    def waiting(self) -> int:
        """The number of calls that have not been answered."""
        return self._capacity - self._room.value

    def check_open(self) -> None:
        """Raises `JournalClosed` once `aclose` has begun."""
        if self._closing:
            raise JournalClosed("the journal is closed")

    def check_thread(self) -> None:
        """Raises `WrongThread` in another thread than that of the trio run."""
        check_thread(self._caller, "the journal")

    async def begin(self, open_: Callable[[], R]) -> R:
        """The first call, which opens the database: it is not cancelled halfway, and if it fails
        the thread ends. Raises its errors."""
        try:
            with trio.CancelScope(shield=True):
                return await self.call(open_)
        except BaseException:
            await self.aclose(_nothing_to_do)
            raise
        raise AssertionError("a shielded scope cannot be cancelled")

    async def call(self, work: Callable[[], R]) -> R:
        """Run `work()` on the thread and return its result, or raise its error.

        A cancelled caller stops waiting; its call still runs. Raises `JournalClosed` once
        `aclose` has begun.
        """
        self.check_thread()
        self.check_open()
        await self._room.acquire()
        job = _Job(work, self._room.release)
        try:
            self.check_open()
        except JournalClosed:
            self._room.release()
            raise
        self._jobs.put(job)  # type: ignore[arg-type]  # the thread runs jobs of any R
        return await job.reply.wait()

    def call_soon(self, work: Callable[[], R]) -> Reply[R]:
        """As `call`, but without waiting for room: for callers that have one such call at a time.
        Raises nothing: `JournalClosed` is the reply's error."""
        job = _Job(work, _nothing_to_do)
        try:
            self.check_open()
        except JournalClosed as error:
            job.reply.fail(error)
        else:
            self._jobs.put(job)  # type: ignore[arg-type]  # the thread runs jobs of any R
        return job.reply

    def work_now(self) -> float:
        """Runs on the thread: call `work` as a `wake` does. Returns the seconds until its next call
        by itself; infinity if that takes another `wake`."""
        self._run_job(_WAKE)
        return self._work_at - time.monotonic()

    def wake(self) -> None:
        """Have `work` called on the thread, after the calls that came before."""
        self._jobs.put(_WAKE)

    async def aclose(self, last: Callable[[], None]) -> None:
        """Finish the accepted calls, run `last` and end the thread, even if cancelled.

        Raises the errors of `last`. A second call waits for the first to finish.
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

    def _run(self) -> None:
        look_at = time.monotonic() + LOOK_SECONDS
        while True:
            with suppress(Empty):
                until = min(look_at, self._work_at)
                job = self._jobs.get(timeout=max(0.0, until - time.monotonic()))
                if job is None:
                    return
                self._run_job(job)
            now = time.monotonic()
            if now >= self._work_at:
                self._run_job(_WAKE)
            if now >= look_at and not self._closing:
                self._look()
                look_at = time.monotonic() + LOOK_SECONDS

    def _run_job(self, job: _Job[None] | _Wake) -> None:
        try:
            if job is _WAKE:
                seconds = self.work()
                self._work_at = math.inf if seconds is None else time.monotonic() + seconds
            else:
                job.run()
        except trio.RunFinishedError:
            self._jobs.put(None)  # the queued calls still run

    def _look(self) -> None:
        try:
            self.look()
        except BaseException as error:
            if must_go_on(error):
                raise
            logger.exception("the periodic check of the journal's files failed")


def _nothing_to_do() -> None:
    """No file is open yet."""


class _Wake(enum.Enum):
    """Stands in the queue for a call of `work`."""

    WAKE = enum.auto()


_WAKE: Final = _Wake.WAKE


class _Job(Generic[R]):
    """A call, and the way back to the task that waits for it."""

    def __init__(self, work: Callable[[], R], done: Callable[[], None]) -> None:
        self.reply: Reply[R] = Reply()
        self._work = work
        self._done = done
        self._callbacks = default_callbacks()

    def run(self) -> None:
        """Run on the thread. Raises `trio.RunFinishedError` if the caller's trio run has ended."""
        result = outcome.capture(self._work)
        self._callbacks.post(partial(self._finish, result))

    def _finish(self, result: outcome.Value[R] | outcome.Error) -> None:
        self._done()
        if isinstance(result, outcome.Error):
            self.reply.fail(result.error)
        else:
            self.reply.succeed(result.value)


_Queue: TypeAlias = "SimpleQueue[_Job[None] | _Wake | None]"
