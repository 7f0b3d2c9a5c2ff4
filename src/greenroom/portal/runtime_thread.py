"""The runtime in a thread of its own, where trio runs."""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import outcome
import trio

from greenroom.actors.exit import crashed
from greenroom.actors.guard import call_guarded, log_failure
from greenroom.portal.border import Border
from greenroom.portal.errors import PortalClosed
from greenroom.runtime import Runtime

logger = logging.getLogger("greenroom")

EXIT_SECONDS: Final = 20.0
"""Seconds that the end of the interpreter waits for a runtime that is still open."""

Opened = Callable[[outcome.Outcome[Runtime]], object]


class RuntimeThread:
    """Runs `opening(border)` in a thread of its own, until the border is to stop.

    A daemon: the interpreter does not wait for it, and stops it at its end. `on_death` is called in
    that thread if the runtime ends by an error before it was to stop.
    """

    def __init__(
        self,
        opening: Callable[[Border], AbstractAsyncContextManager[Runtime]],
        on_death: Callable[[BaseException], object],
    ) -> None:
        self.border: Border = Border()
        self._opening = opening
        self._on_death = on_death
        self._opened: Opened | None = None
        self._ended: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._is_over = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="greenroom", daemon=True)

    def start(self, opened: Opened) -> None:
        """Start it; `opened` is called in the thread, with the runtime or why there is none."""
        self._opened = opened
        atexit.register(self._stop_at_exit)
        self._thread.start()

    def stop(self, ended: Callable[[], object]) -> None:
        """Begin to stop it; `ended` is called in its thread, or here if it has ended."""
        with self._lock:
            if not self._is_over:
                self._ended.append(ended)
                ended = self.border.stop
        ended()

    def join(self) -> None:
        """Wait for the thread, once it has ended."""
        self._thread.join()

    # In the thread

    def _main(self) -> None:
        result = outcome.capture(trio.run, self._live)
        error = result.error if isinstance(result, outcome.Error) else None
        self.error = None if error is None else crashed(error).error
        self.border.close(self.error)
        was_open = self._opened is None
        self._tell_opened(outcome.Error(self.error or self.border.reason()))
        if self.error is not None and was_open and not self.border.stopping.is_set():
            call_guarded("a host does not know that its runtime died", self._on_death, self.error)
        with self._lock:
            self._is_over = True
        atexit.unregister(self._stop_at_exit)
        for each in self._ended:
            call_guarded("a host does not know that its runtime has ended", each)

    async def _live(self) -> None:
        async with trio.open_nursery() as calls:
            self.border.open(calls)
            async with self._opening(self.border) as runtime, trio.open_nursery() as blocks:
                self.border.open_blocks(blocks)
                self._tell_opened(outcome.Value(runtime))
                await self.border.stopping.wait()
                blocks.cancel_scope.cancel()
            calls.cancel_scope.cancel()

    def _tell_opened(self, result: outcome.Outcome[Runtime]) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            call_guarded("a host did not get its runtime", opened, result)
        elif isinstance(result, outcome.Error) and not isinstance(result.error, PortalClosed):
            log_failure(logger, result.error, "the runtime has died")

    def _stop_at_exit(self) -> None:
        """The interpreter ends, and the block of the runtime has not: its threads still run."""
        self.border.stop()
        self._thread.join(EXIT_SECONDS)
