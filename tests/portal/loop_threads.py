"""Loops of asyncio in threads of their own, and what is under way on them, for the model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

T = TypeVar("T")

SECONDS = 20.0
"""To wait for what must happen: only a failing test waits that long."""


class LoopThread:
    """A loop that runs until it is closed: orderly, or under its tasks."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.tasks: list[asyncio.Task[object]] = []
        self.is_closed = False
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def begin(self, coroutine: Coroutine[object, object, object]) -> asyncio.Task[object]:
        """A new task on the loop."""
        return self.do(partial(self._begin, coroutine))

    def do(self, function: Callable[[], T]) -> T:
        """Call it on the loop."""
        done: Future[T] = Future()
        self.loop.call_soon_threadsafe(lambda: done.set_result(function()))
        return done.result(SECONDS)

    def wait(self, task: asyncio.Task[object]) -> BaseException | None:
        """Wait for the end of a task; its error."""
        ended = threading.Event()
        self.do(partial(task.add_done_callback, lambda _: ended.set()))
        assert ended.wait(SECONDS), f"{task} does not end"
        return asyncio.CancelledError() if task.cancelled() else task.exception()

    def close(self, *, orderly: bool) -> None:
        """As `asyncio.run` closes its loop, or under the tasks that run on it."""
        if self.is_closed:
            return
        self.is_closed = True
        for task in [each for each in self.tasks if not each.done()]:
            if orderly:
                self.do(task.cancel)
                self.wait(task)
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is the point
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        self.loop.close()

    def _begin(self, coroutine: Coroutine[object, object, object]) -> asyncio.Task[object]:
        task = self.loop.create_task(coroutine)
        self.tasks.append(task)
        return task
