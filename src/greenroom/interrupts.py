"""Ctrl-C while modules are imported."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130  # what a shell reports for SIGINT


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Ctrl-C within the block ends the process as `leave_at_once` says."""
    ours = leave_at_once()
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def leave_at_once() -> bool:
    """From now on Ctrl-C ends the process silently, with exit code 130. Whether it does.

    A `KeyboardInterrupt` in the middle of an import is no way to do it: importlib's and weakref's
    callbacks print it and go on, C modules turn it into an `ImportError`, `__set_name__` into a
    `RuntimeError` (before Python 3.12). And nothing has happened yet that must be undone.

    An interrupt that is ignored, as in a shell's background job, or that has another handler stays
    as it is.
    """
    try:
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return False
        signal.signal(signal.SIGINT, _leave)
    except ValueError:  # not in the main thread, which alone hears signals
        return False
    return True


def _leave(_: int, __: FrameType | None) -> None:
    os._exit(INTERRUPTED)
