"""How an actor or a child ended, in OTP's terms (supervisor(3), "exit reasons")."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeAlias, cast

import attrs
import trio

from greenroom.actors.errors import OrderlyExit
from greenroom.actors.guard import call_guarded
from greenroom.actors.text.safe import is_a, safe_repr


class ExitKind(enum.Enum):
    """`normal` and `shutdown` are orderly; `crashed` and `killed` are not."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    CRASHED = "crashed"
    KILLED = "killed"


@attrs.frozen
class ExitReason:
    """Why an actor or a child ended. `error` is the exception it raised, if it raised one."""

    kind: ExitKind
    error: BaseException | None = attrs.field(default=None, repr=safe_repr)

    @property
    def orderly(self) -> bool:
        """Whether a *transient* child that ended so stays down."""
        return self.kind in (ExitKind.NORMAL, ExitKind.SHUTDOWN)

    def __str__(self) -> str:
        if self.error is None:
            return self.kind.value
        return f"{self.kind.value}: {safe_repr(self.error)}"


NORMAL = ExitReason(ExitKind.NORMAL)
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN)
KILLED = ExitReason(ExitKind.KILLED)


Callbacks: TypeAlias = dict[object, Callable[[ExitReason], None]]


def enrol(callbacks: Callbacks, callback: Callable[[ExitReason], None]) -> Callable[[], None]:
    """Add a callback for one end; returns a function that removes it."""
    key = object()
    callbacks[key] = callback

    def call_off() -> None:
        callbacks.pop(key, None)

    return call_off


async def wait_for_end(
    when_stopped: Callable[[Callable[[ExitReason], None]], Callable[[], None]],
) -> None:
    """Wait until a `when_stopped` calls back. Until somebody waits, no event is made."""
    stopped = trio.Event()
    call_off = when_stopped(lambda _: stopped.set())
    try:
        await stopped.wait()
    finally:
        call_off()


def call_each(callbacks: Callbacks, reason: ExitReason) -> None:
    """Call each callback once, unless an earlier one removed it.

    What a callback raises is logged; the others are still called.
    """
    while callbacks:
        callback = callbacks.pop(next(iter(callbacks)))
        call_guarded("a callback of when_stopped() failed", callback, reason)


def crashed(error: BaseException) -> ExitReason:
    """The reason of a crash; a group of one error is unwrapped."""
    while len(members := members_of(error)) == 1:
        error = members[0]
    return ExitReason(ExitKind.CRASHED, error)


def ended_by(error: BaseException, *, cancelled: bool | None = None) -> ExitReason:
    """The exit reason for `error`: a crash, or a shutdown if `error` is this task's cancellation.

    A task that is cancelled while another task of its nursery fails ends with a group of both
    errors: that is a crash. So are other errors that are no `Exception` (`SystemExit`, asyncio's
    `CancelledError`), and a `Cancelled` that no scope around this task asked for, because it was
    kept and raised again. A `KeyboardInterrupt` counts as a shutdown. An `OrderlyExit` alone is a
    shutdown with an error. Call it in the task and the scopes that `error` reached, or say whether
    these are `cancelled`.
    """
    cancelled = _is_cancelled() if cancelled is None else cancelled
    failure = _without(error, (KeyboardInterrupt, trio.Cancelled))
    if failure is None and not cancelled:
        failure = _without(error, (KeyboardInterrupt,))
    return SHUTDOWN if failure is None else _orderly_or_crashed(crashed(failure))


def must_go_on(error: BaseException) -> bool:
    """Whether a handler of `error` must raise it again: it is this task's own cancellation, or it
    is or holds a `KeyboardInterrupt`, which stops the program."""
    return holds_interrupt(error) or ended_by(error).error is None


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an error, of its causes and of the members of its group.

    A frame holds the local variables of its function. The actor's are among them, and the actor's
    ref holds the error: a reference cycle that waits for the garbage collector.
    """
    waiting: list[BaseException | None] = [error]
    done: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in done:
            done.add(id(each))
            BaseException.__setattr__(each, "__traceback__", None)
            waiting += (_own(each, "__cause__"), _own(each, "__context__"))
            waiting += members_of(each)


def _own(error: BaseException, name: str) -> Any:  # Any: whatever is under that name
    """The attribute of an exception, even if its class overrides the look-up."""
    return BaseException.__getattribute__(error, name)


def holds_interrupt(error: BaseException) -> bool:
    """Whether it is a `KeyboardInterrupt`, or a group with one in it."""
    return any(is_a(each, KeyboardInterrupt) for each in _leaves(error))


def _is_cancelled() -> bool:
    """Whether a scope around this task is cancelled, so that a `Cancelled` may be its own."""
    return trio.lowlevel.in_trio_task() and trio.current_effective_deadline() == -math.inf


def _without(error: BaseException, kinds: tuple[type[BaseException], ...]) -> BaseException | None:
    """What is left of it without errors of these kinds. Of a group that cannot be split (its
    class may do what it likes, or it is too deep) all is left."""
    found = {is_a(each, kinds) for each in _leaves(error)}
    if found == {True}:
        return None
    if found == {False}:
        return error
    with suppress(Exception):
        rest = BaseExceptionGroup.split(cast(BaseExceptionGroup, error), kinds)[1]
        return error if rest is None else rest
    return error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, and of groups in it, each once."""
    waiting, done = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) not in done:
            done.add(id(each))
            waiting += members_of(each)
            if not is_a(each, BaseExceptionGroup):
                yield each


def members_of(error: BaseException) -> tuple[BaseException, ...]:
    """The errors in a group, whatever its class does to hide them; none of another error."""
    members: tuple[BaseException, ...] = ()
    if is_a(error, BaseExceptionGroup):
        members = _EXCEPTIONS.__get__(error)
    return members


_EXCEPTIONS: Any = BaseExceptionGroup.__dict__["exceptions"]  # Any: a member descriptor


def _orderly_or_crashed(reason: ExitReason) -> ExitReason:
    if reason.error is not None and is_a(reason.error, OrderlyExit):
        return ExitReason(ExitKind.SHUTDOWN, reason.error)
    return reason
