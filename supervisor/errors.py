"""The errors of supervision, in the terms of supervisor(3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from greenroom.actors.errors import Fault, GreenroomError, OrderlyExit
from greenroom.actors.text.safe import safe_repr
from greenroom.actors.text.wording import a, did_you_mean

if TYPE_CHECKING:
    from greenroom.actors.monitors import AnyRef
    from greenroom.supervisor.crash.crash_report import CrashReport

MOST_OF_A_CAUSE = 300
"""Characters of a cause in the message of `StartFailed`: causes nest as deep as the tree, and the
backslashes of quotes within quotes double with each level."""

WHILE_RESTARTING = "the supervisor starts it by itself; terminate_child() prevents that"


class SupervisorError(GreenroomError):
    """A supervisor could not do what was asked, or cannot go on."""


class InvalidChildSpec(SupervisorError):
    """A child spec or a supervisor's flags are not valid."""


class StartFailed(SupervisorError):
    """A child did not come up; `__cause__` is the error that stopped it."""

    def __init__(self, supervisor: str, child: str, cause: BaseException) -> None:
        shown = safe_repr(cause, MOST_OF_A_CAUSE)
        super().__init__(f"{supervisor!r} could not start {child!r}: {shown}")
        self.supervisor = supervisor
        self.child = child
        self.__cause__: BaseException | None = cause


class NeverStarted(SupervisorError):
    """A start function returned, or was stopped, without calling `task_status.started()`."""


class AlreadyStarted(SupervisorError):
    """A child with this id is up or starting. `value` is what it started with."""

    def __init__(self, supervisor: str, child: str, value: object) -> None:
        super().__init__(f"{supervisor!r} already has {child!r}")
        self.child = child
        self.value = value


class AlreadyPresent(SupervisorError):
    """The id belongs to a child that is stopped or waits for its restart."""

    def __init__(self, supervisor: str, child: str, *, restarting: bool = False) -> None:
        super().__init__(
            f"{supervisor!r} already has {child!r}, {'restarting' if restarting else 'stopped'}",
            advice=WHILE_RESTARTING
            if restarting
            else "restart_child() starts it again, delete_child() forgets it",
        )
        self.child = child


class TooManyChildren(SupervisorError):
    """`max_children` are there already."""

    temporary = True


class NoSuchChild(SupervisorError):
    """No child has this id. `among`: the ids of which one may have been meant."""

    def __init__(self, supervisor: str, child: str, among: Iterable[str] = ()) -> None:
        advice = did_you_mean(str(child), among)
        super().__init__(f"{supervisor!r} has no child {str(child)!r}", advice=advice)
        self.child = child


class ChildNotRunning(SupervisorError):
    """The child is stopped, or waits for its restart."""

    temporary = True


class UnexpectedChild(SupervisorError):
    """The child is not of the kind that the caller of `child(id, kind)` asked for."""

    def __init__(self, supervisor: str, child: str, value: object, kind: type[object]) -> None:
        super().__init__(
            f"{child!r} of {supervisor!r} started with {safe_repr(value)}, "
            f"not with {a(kind.__name__)}",
            advice="check the spec of this id, and the class that you gave",
        )
        self.child = child
        self.value = value


class ChildRunning(SupervisorError):
    """The child is running: only a stopped child can be restarted or deleted by a call."""


class ChildRestarting(SupervisorError):
    """The supervisor is restarting the child by itself."""

    temporary = True

    def __init__(self, supervisor: str, child: str) -> None:
        super().__init__(
            f"{str(child)!r} of {supervisor!r} is being restarted", advice=WHILE_RESTARTING
        )
        self.child = child


class SupervisorStopped(SupervisorError):
    """The supervisor has stopped or is stopping."""

    temporary = True


class ChildLeftBehind(SupervisorError):
    """A child ignored its cancellation for longer than its shutdown time; it still runs."""

    fault = Fault.GREENROOM

    def __init__(self, supervisor: str, child: str) -> None:
        super().__init__(
            f"{supervisor!r} left {child!r} behind: it ignores cancellation",
            advice="look for a shielded scope, a swallowed Cancelled or a blocking call in it",
        )
        self.child = child


class RestartIntensityExceeded(SupervisorError, OrderlyExit):
    """Children ended more often than the restart intensity allows, so the supervisor gave up.

    To its own supervisor that is the exit reason `shutdown`, as in OTP. `crashes` are the reports
    of the ends that used up the budget, the last 100, oldest first; `__cause__` is the error of
    the last one.
    """

    fault = Fault.GREENROOM

    def __init__(self, supervisor: str, limit: str, crashes: Sequence[CrashReport]) -> None:
        ends = "; ".join(f"{crash.child}: {crash.end}" for crash in crashes)
        super().__init__(f"{supervisor!r} gave up after more than {limit}: {ends}")
        self.supervisor = supervisor
        self.crashes: tuple[CrashReport, ...] = tuple(crashes)
        self.__cause__: BaseException | None = crashes[-1].reason.error if crashes else None


class SignificantChildrenEnded(SupervisorError, OrderlyExit):
    """The supervisor shut itself down by its `auto_shutdown`."""

    def __init__(self, supervisor: str, child: str) -> None:
        super().__init__(f"{supervisor!r} shut itself down when {child!r} ended")
        self.supervisor = supervisor
        self.child = child


class RegistryConflict(SupervisorError):
    """The key belongs to another actor, `owner`."""

    def __init__(self, registry: str, key: str, owner: AnyRef) -> None:
        super().__init__(f"{key!r} in {registry!r} belongs to {owner.name!r}")
        self.key = key
        self.owner: AnyRef = owner


class NotRegistered(SupervisorError):
    """No actor has this key, or its owner has ended."""

    temporary = True

    def __init__(self, registry: str, key: str) -> None:
        super().__init__(f"no actor in {registry!r} has the key {key!r}")
        self.key = key


class UnknownNeed(SupervisorError):
    """A component needs an id that no component has. `among`: the ids that there are."""

    def __init__(self, component: str, need: str, among: Iterable[str] = ()) -> None:
        advice = did_you_mean(need, among)
        super().__init__(f"{component!r} needs {need!r}, which is no component", advice=advice)
        self.component = component
        self.need = need


class CircularNeeds(SupervisorError):
    """Components need each other in a circle, so none can start first."""

    def __init__(self, circle: Sequence[str]) -> None:
        super().__init__(f"these need each other: {' → '.join(circle)}")
        self.circle: tuple[str, ...] = tuple(circle)


class Ignore(SupervisorError):
    """Raised *by* a start function that declines: the supervisor goes on without it (`ignore`)."""

    def __init__(self, message: str = "not needed here") -> None:
        super().__init__(message)
