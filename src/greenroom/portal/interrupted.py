"""What a host's code raised, as it may be raised in the trio thread.

A `KeyboardInterrupt` there ends the trio run, and with it the runs of all users. But Ctrl-C is the
host's to handle, and its own thread has it already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import outcome

from greenroom.actors.exit import holds_interrupt
from greenroom.portal.errors import HostInterrupted

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


def crossing_back(result: outcome.Outcome[T]) -> outcome.Outcome[T]:
    """The outcome of a host's code, with `HostInterrupted` in place of an interrupt."""
    if not isinstance(result, outcome.Error) or not holds_interrupt(result.error):
        return result
    interrupted = HostInterrupted("the host's code was interrupted by a KeyboardInterrupt")
    interrupted.__cause__ = result.error
    return outcome.Error(interrupted)


def uninterrupted(function: Callable[[*Arguments], T], /, *args: *Arguments) -> T:
    """Call it for the trio thread. Raises what it raises, and `HostInterrupted`."""
    return crossing_back(outcome.capture(function, *args)).unwrap()
