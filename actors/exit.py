"""How an actor or child ended, in OTP's words (supervisor(3), "exit reasons")."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeAlias

import attrs

from greenroom.actors.errors import OrderlyExit


class ExitKind(enum.Enum):
    """`normal` and `shutdown` are orderly; `crashed` and `killed` are not."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    CRASHED = "crashed"
    KILLED = "killed"


@attrs.frozen
class ExitReason:
    """Why something stopped. `error` is what was raised, with its traceback, if anything was."""

    kind: ExitKind
    error: BaseException | None = None

    @property
    def orderly(self) -> bool:
        """True for the ends that do not restart a *transient* child."""
        return self.kind in (ExitKind.NORMAL, ExitKind.SHUTDOWN)

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.error!r}" if self.error else self.kind.value


NORMAL = ExitReason(ExitKind.NORMAL)
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN)
KILLED = ExitReason(ExitKind.KILLED)


Callbacks: TypeAlias = dict[object, Callable[[ExitReason], None]]


def enrol(callbacks: Callbacks, callback: Callable[[ExitReason], None]) -> Callable[[], None]:
    """Add a callback to those of one end; returns the calling off."""
    key = object()
    callbacks[key] = callback

    def call_off() -> None:
        callbacks.pop(key, None)

    return call_off


def call_each(callbacks: Callbacks, reason: ExitReason) -> None:
    """Call each once; one that another calls off meanwhile is not called."""
    while callbacks:
        callbacks.pop(next(iter(callbacks)))(reason)


def crashed(error: BaseException) -> ExitReason:
    """The reason of a crash; a group holding one error is unwrapped to that error."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return ExitReason(ExitKind.CRASHED, error)


def ended_by(error: BaseException) -> ExitReason:
    """The reason when `error` came out: a crash, or a shutdown if it holds no `Exception`.

    A task cancelled while another of its nursery fails ends in a group of both: that is a crash.
    An `OrderlyExit` alone is a shutdown that tells why.
    """
    if isinstance(error, BaseExceptionGroup):
        errors = error.subgroup(Exception)
        return SHUTDOWN if errors is None else _orderly_or_crashed(crashed(errors))
    return _orderly_or_crashed(crashed(error)) if isinstance(error, Exception) else SHUTDOWN


def _orderly_or_crashed(reason: ExitReason) -> ExitReason:
    if isinstance(reason.error, OrderlyExit):
        return ExitReason(ExitKind.SHUTDOWN, reason.error)
    return reason
