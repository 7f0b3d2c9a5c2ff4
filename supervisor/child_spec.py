"""Child specs: how a supervisor starts, restarts and stops a child."""

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
"""The type of the value that a child starts with."""


class StartFunction(Protocol[V_co]):
    """An async function as `nursery.start` takes it: it calls `task_status.started(value)` once.

    An exception before that call fails the start; `Ignore` declines it. In the function, `parent()`
    is the supervisor's ref, which finds the siblings that started before.
    """

    def __call__(self, *, task_status: trio.TaskStatus[V_co]) -> Awaitable[object]: ...


class RestingStart:
    """A start function that needs no task while its child has nothing to do: the child may rest.

    By inheritance only: a function around it holds on to the task.
    """

    __slots__ = ()


@attrs.frozen
class SupervisorStart(RestingStart, Generic[V_co]):
    """The start function of a supervisor that is a child: its `run`, and nothing around it.

    `place` brings up a supervisor that has no children to start, without a task.
    """

    run: StartFunction[V_co]
    place: Callable[[trio.TaskStatus[V_co]], None] | None = None

    def __call__(self, *, task_status: trio.TaskStatus[V_co]) -> Awaitable[object]:
        return self.run(task_status=task_status)


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
    """The two shutdown times that are not numbers (supervisor(3), "shutdown")."""

    BRUTAL_KILL = "brutal_kill"
    INFINITY = "infinity"


ChildKind = Literal["worker", "supervisor"]


def _plain(id_: str) -> str:
    """A plain `str`: a subclass, as ids are, may show its class in messages."""
    return str(id_) if isinstance(id_, str) else id_


@attrs.frozen
class ChildSpec(Generic[V_co]):
    """One child: its `id` (unique among its siblings), how to start it, when to restart it.

    `ChildSpec[V]` starts with a `V`; if its start may raise `Ignore`, that is a `V | None`.
    `restart` None means the supervisor's default: permanent, or temporary in a
    `DynamicSupervisor`. `shutdown` is the number of seconds in which the child must end after it
    was cancelled, by default 5 for a worker and unlimited for a supervisor. `backoff` delays
    restarts. The end of `significant` children may end their supervisor (`AutoShutdown`).
    `recorded` is the factory of an actor whose messages are kept whole for `greenroom replay` (see
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
        """The first fault by supervisor(3), "Child specification", as a sentence."""
        if not isinstance(self.id, str) or not self.id:
            return f"its id must be a string that is not empty, not {self.id!r}"
        if not callable(self.start):
            return f"its start must be an async function, not {self.start!r}"
        if self.restart is not None and not isinstance(self.restart, Restart):
            return f"its restart must be a Restart or None, not {self.restart!r}"
        if not _is_shutdown_time(self.shutdown):
            return f"its shutdown must be a Shutdown or 0 or more seconds, not {self.shutdown!r}"
        if self.kind not in ("worker", "supervisor"):
            return f"its kind must be 'worker' or 'supervisor', not {self.kind!r}"
        if not isinstance(self.significant, bool):
            return f"its significant must be True or False, not {self.significant!r}"
        if self.backoff is not None and not isinstance(self.backoff, Backoff):
            return f"its backoff must be a Backoff or None, not {self.backoff!r}"
        if self.significant and self.restart is Restart.PERMANENT:
            return "a significant child must be transient or temporary, not permanent"
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
    """A spec for an actor; every start makes a new one with `factory`. Its value is the `Ref`.

    `factory` runs in the child's task, so `parent()` works in it. The shutdown time is also the
    grace of `stopping`, so brutal_kill skips that. `name` is the name of the ref, by default the
    id. `mailbox` says what becomes of waiting messages over a restart (see `OnRestart`).
    `record` messages, the last ones, are kept whole, up to 4 MiB, so that a crash can be replayed;
    that works best if `factory` is a class or a `functools.partial` of one, and if messages are
    immutable.
    Raises `InvalidChildSpec`; if `factory` makes no actor, the start fails with that error.
    """
    _check_actor_options(id, factory, record, mailbox)
    grace = grace_of(shutdown)

    start = ActorStart(id, factory, name or id, probe, grace, mailbox, record)
    recorded = factory if record else None
    return ChildSpec(id, start, restart, shutdown, significant, backoff=backoff, recorded=recorded)


@attrs.frozen
class ActorStart(RestingStart, Generic[M]):
    """The start function of an actor: see `actor_child`."""

    id: str
    factory: Callable[[], Actor[M]]
    name: str
    probe: Probe
    grace: float
    mailbox: OnRestart
    record: int

    async def __call__(self, *, task_status: trio.TaskStatus[Ref[M]]) -> None:
        await run_actor(
            self._made(),
            name=self.name,
            probe=self.probe,
            grace=self.grace,
            mailbox=self.mailbox,
            task_status=task_status,
        )

    def _made(self) -> Actor[M]:
        actor = self.factory()
        if not isinstance(actor, Actor):
            raise InvalidChildSpec(
                f"child {self.id!r}: its factory must make an Actor, not {actor!r}"
            )
        if self.record:
            actor.remembered = max(actor.remembered, self.record)
            actor.remembered_bytes = max(actor.remembered_bytes, RECORDED_BYTES)
        return actor


def _check_actor_options(id_: str, factory: object, record: object, mailbox: object) -> None:
    if not callable(factory):
        raise InvalidChildSpec(
            f"child {id_!r}: its factory must be callable and make a new actor, not {factory!r}",
            advice="every start calls it: give the class, or a functools.partial of it",
        )
    if isinstance(factory, type) and not issubclass(factory, Actor):
        raise InvalidChildSpec(
            f"child {id_!r}: its factory must make an Actor, and {factory!r} is not a class of one",
            advice="give a subclass of Actor; task_child takes an async function",
        )
    if not isinstance(record, int) or record < 0:
        raise InvalidChildSpec(
            f"child {id_!r}: its record must be 0 or more messages, not {record!r}"
        )
    if not isinstance(mailbox, OnRestart):
        raise InvalidChildSpec(f"child {id_!r}: its mailbox must be an OnRestart, not {mailbox!r}")


def task_child(
    id: str,  # noqa: A002 - supervisor(3)'s name for it
    function: Callable[[], Awaitable[object]],
    *,
    restart: Restart | None = None,
    shutdown: float | Shutdown = 5.0,
    significant: bool = False,
    backoff: Backoff | None = None,
) -> ChildSpec[None]:
    """A spec for a plain async function. It is up as soon as it runs; its value is None.

    Raises `InvalidChildSpec`.
    """
    if not callable(function):
        raise InvalidChildSpec(
            f"child {id!r}: its function must be an async function, not {function!r}",
            advice="every start calls it: functools.partial(function, …) gives it arguments",
        )

    async def start(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started(None)
        await function()

    return ChildSpec(id, start, restart, shutdown, significant, backoff=backoff)
