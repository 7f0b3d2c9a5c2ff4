"""Signals that stop the ASGI server, held back until the runtime has drained.

A server that must stop closes its sockets at once, and only then ends the lifespan: too late to
tell clients when to come back, and to show them the end of their runs.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None


class HeldSignals:
    """The first signal calls `wake`, and waits for `release`. A second one is the server's."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._before: dict[int, Handler] = {}
        self._arrived: int | None = None

    def hold(self) -> None:
        """Take the place of the server's handlers, in the main thread alone: of SIGTERM, also where
        it ends the process by default, and of SIGINT if the server handles it in the same way."""
        if threading.current_thread() is not threading.main_thread():
            return
        term = signal.getsignal(signal.SIGTERM)
        if not (callable(term) or term is signal.SIG_DFL):
            return
        for each in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(each) == term:
                self._before[each] = term
                signal.signal(each, self._handle)

    def release(self) -> None:
        """Give the server its handlers back, and the signal that came, if one has."""
        for each, handler in self._before.items():
            if signal.getsignal(each) == self._handle:
                signal.signal(each, handler)
        arrived, self._arrived = self._arrived, None
        if arrived is not None:
            signal.raise_signal(arrived)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._arrived is None:
            self._arrived = number
            self._wake()
        else:
            self._arrived = number
            self.release()


@contextmanager
def signals_held(wake: Callable[[], object]) -> Iterator[HeldSignals]:
    """Hold the signals for the length of a block."""
    held = HeldSignals(wake)
    held.hold()
    try:
        yield held
    finally:
        held.release()
