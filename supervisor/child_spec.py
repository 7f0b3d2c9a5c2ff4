"""Child specs: what a supervisor has to know to start, restart and stop a child."""

from __future__ import annotations

import enum
import math
from collections.abc import Awaitable, Callable
from typing import Generic, Literal, Protocol

import attrs
import trio
from typing_extensions import TypeVar

from greenroom.actors.actor import Actor, run_actor
from greenroom.actors.exit import ExitReason
from greenroom.actors.mailbox import OnRestart
from greenroom.actors.probe import NO_PROBE, Probe
from greenroom.actors.ref import Ref
from greenroom.supervisor.crash.actor_note import RECORDED_BYTES
from greenroom.supervisor.errors import InvalidChildSpec
from greenroom.supervisor.restarts import Backoff

M = TypeVar("M")
V_co = TypeVar("V_co", covariant=True, default=object)
"""What a child starts with."""


class StartFunction(Protocol[V_co]):
    """What `nursery.start` takes: calls `task_status.started(value)` once up, runs until done.

    Raising before that fails the start; raising `Ignore` declines it. `parent()` inside it is
    the supervisor's ref, through which it finds the siblings that started before.
    """

    def __call__(self, *, task_status: trio.TaskStatus[V_co]) -> Awaitable[object]: ...


class Restart(enum.Enum):
    """After which ends a child is started again (supervisor(3), "restart")."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"

    def follows(self, reason: ExitReason) -> bool:
        """Whether a child that ended by itself for `reason` is restarted."""
        match self:
            case Restart.PERMANENT:
                return True
            case Restart.TRANSIENT:
                return not reason.orderly
            case Restart.TEMPORARY:
                return False


class Shutdown(enum.Enum):
    """The two shutdown times that are no number (supervisor(3), "shutdown")."""

    BRUTAL_KILL = "brutal_kill"
    INFINITY = "infinity"


ChildKind = Literal["worker", "supervisor"]


def _plain(id_: str) -> str:
    """Text that shows as text: a subclass of `str`, as ids are, may show its class."""
    return str(id_) if isinstance(id_, str) else id_


@attrs.frozen
class ChildSpec(Generic[V_co]):
    """One child: its `id` (unique among its siblings), how to start it, when to restart it.

    `ChildSpec[V]` starts with a `V`; if its start may raise `Ignore`, that is a `V | None`.
    `restart` None means the supervisor's default: permanent, or temporary in a
    `DynamicSupervisor`. `shutdown` is how many seconds the child has to end after it was
    cancelled, by default 5 for a worker and without limit for a supervisor. `backoff` delays
    restarts. `significant` children may take their supervisor along (`AutoShutdown`). `recorded`
    is what made an actor whose messages are kept whole for `greenroom replay` (see
    `actor_child`).
    """

    id: str = attrs.field(converter=_plain)
    start: StartFunction[V_co]
    restart: Restart | None = None
    kind: ChildKind = attrs.field(default="worker", kw_only=True)
    shutdown: float | Shutdown = attrs.field(
        default=attrs.Factory(lambda spec: _shutdown_of(spec.kind), takes_self=True)
    )
    significant: bool = False
    backoff: Backoff | None = attrs.field(default=None, kw_only=True)
    recorded: Callable[[], object] | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        wrong = self._wrong()
        if wrong is not None:
            raise InvalidChildSpec(f"child {self.id!r}: {wrong}")

    def _wrong(self) -> str | None:
        """What supervisor(3), "Child specification", does not allow, as a sentence."""
        if not isinstance(self.id, str) or not self.id:
            return "its id is a string that is not empty"
        if not callable(self.start):
            return f"its start is an async function, not {self.start!r}"
        if self.restart is not None and not isinstance(self.restart, Restart):
            return f"its restart is a Restart or None, not {self.restart!r}"
        if not _is_shutdown_time(self.shutdown):
            return f"its shutdown is a Shutdown or 0 or more seconds, not {self.shutdown!r}"
        if self.kind not in ("worker", "supervisor"):
            return f"its kind is 'worker' or 'supervisor', not {self.kind!r}"
        if not isinstance(self.significant, bool):
            return f"its significant is True or False, not {self.significant!r}"
        if self.backoff is not None and not isinstance(self.backoff, Backoff):
            return f"its backoff is a Backoff or None, not {self.backoff!r}"
        if self.significant and self.restart is Restart.PERMANENT:
            return "a permanent child cannot be significant"
        return None

    @property
    def grace(self) -> float:
        """The shutdown time in seconds: 0 for brutal_kill, inf for infinity."""
        return grace_of(self.shutdown)


def _shutdown_of(kind: ChildKind) -> float | Shutdown:
    return Shutdown.INFINITY if kind == "supervisor" else 5.0


def _is_shutdown_time(shutdown: object) -> bool:
    if isinstance(shutdown, Shutdown):
        return True
    return isinstance(shutdown, int | float) and not isinstance(shutdown, bool) and shutdown >= 0


def grace_of(shutdown: float | Shutdown) -> float:
    match shutdown:
        case Shutdown.BRUTAL_KILL:
            return 0.0
        case Shutdown.INFINITY:
            return math.inf
        case seconds:
            return seconds


def actor_child(
    id: str,  # noqa: A002 - supervisor(3)'s name for it
    factory: Callable[[], Actor[M]],
    *,
    restart: Restart | None = None,
    shutdown: float | Shutdown = 5.0,
    significant: bool = False,
    backoff: Backoff | None = None,
    name: str | None = None,
    probe: Probe = NO_PROBE,
    record: int = 0,
    mailbox: OnRestart = OnRestart.FAILED,
) -> ChildSpec[Ref[M]]:
    """A spec for an actor; each incarnation is a fresh one from `factory`, its value the `Ref`.

    `factory` runs in the child's task, so `parent()` works in it. The shutdown time is also the
    grace of `stopping`, so brutal_kill cuts that off. `name` is the ref's, by default the id.
    `mailbox` says what becomes of what waits in it over a restart (see `OnRestart`).
    `record`: keep the last so many messages whole, up to 4 MiB, so that a crash can be replayed;
    best with a `factory` that is a class or a `functools.partial` of one, and messages that never
    change.
    Raises `InvalidChildSpec`; a `factory` that makes no actor fails the start with it.
    """
    _check_actor_options(id, factory, record, mailbox)
    grace = grace_of(shutdown)

    async def start(*, task_status: trio.TaskStatus[Ref[M]]) -> None:
        actor = factory()
        if not isinstance(actor, Actor):
            raise InvalidChildSpec(f"child {id!r}: its factory made {actor!r}, which is no actor")
        if record:
            actor.remembered = max(actor.remembered, record)
            actor.remembered_bytes = max(actor.remembered_bytes, RECORDED_BYTES)
        await run_actor(
            actor,
            name=name or id,
            probe=probe,
            grace=grace,
            mailbox=mailbox,
            task_status=task_status,
        )

    recorded = factory if record else None
    return ChildSpec(id, start, restart, shutdown, significant, backoff=backoff, recorded=recorded)


def _check_actor_options(id_: str, factory: object, record: object, mailbox: object) -> None:
    if not callable(factory):
        raise InvalidChildSpec(
            f"child {id_!r}: its factory is what makes a new actor, not {factory!r}",
            advice="every start calls it anew: give the class, or a functools.partial of it",
        )
    if not isinstance(record, int) or record < 0:
        raise InvalidChildSpec(f"child {id_!r}: its record is 0 or more messages, not {record!r}")
    if not isinstance(mailbox, OnRestart):
        raise InvalidChildSpec(f"child {id_!r}: its mailbox is an OnRestart, not {mailbox!r}")


def task_child(
    id: str,  # noqa: A002 - supervisor(3)'s name for it
    function: Callable[[], Awaitable[object]],
    *,
    restart: Restart | None = None,
    shutdown: float | Shutdown = 5.0,
    significant: bool = False,
    backoff: Backoff | None = None,
) -> ChildSpec[None]:
    """A spec for a plain async function: up as soon as it runs, its value None.

    Raises `InvalidChildSpec`.
    """
    if not callable(function):
        raise InvalidChildSpec(
            f"child {id!r}: its function is an async function, not {function!r}",
            advice="every start calls it anew: functools.partial(function, …) gives it arguments",
        )

    async def start(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started(None)
        await function()

    return ChildSpec(id, start, restart, shutdown, significant, backoff=backoff)
