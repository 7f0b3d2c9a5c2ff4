"""Signals that stop the ASGI server, held back until the runtime has drained.

A server that must stop closes its sockets at once, and only then ends the lifespan: too late to
tell clients when to come back, and to show them the end of their runs.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

Handler: TypeAlias = Callable[[int, FrameType | None], object]
logger = logging.getLogger("greenroom.asgi")


class HeldSignals:
    """The first signal calls `wake`, and waits for `release`. A second one is the server's."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._before: dict[int, Handler] = {}
        self._arrived: int | None = None

    def hold(self) -> None:
        """Take the place of the server's handlers, in the main thread alone. Signals that the
        server does not handle are left alone."""
        if threading.current_thread() is not threading.main_thread():
            return
        term = signal.getsignal(signal.SIGTERM)
        for each in (signal.SIGTERM, signal.SIGINT):
            if callable(term) and signal.getsignal(each) == term:
                self._before[each] = term
                signal.signal(each, self._handle)

    def release(self) -> None:
        """Give the server its handlers back, and the signal that came, if one has."""
        for each, handler in self._before.items():
            if signal.getsignal(each) == self._handle:
                signal.signal(each, handler)
        arrived, self._arrived = self._arrived, None
        if arrived is not None:
            self._before[arrived](arrived, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._arrived is None:
            self._arrived = number
            self._wake()
        else:
            self._before[number](number, frame)


@contextmanager
def signals_held(wake: Callable[[], object]) -> Iterator[HeldSignals]:
    """Hold the signals for the length of a block."""
    held = HeldSignals(wake)
    held.hold()
    try:
        yield held
    finally:
        held.release()
