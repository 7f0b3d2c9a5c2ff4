"""Runs of other processes: begun, found, and bounded in number."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Final

import attrs
import orjson
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.asks.questions import same_json
from greenroom.delivery.errors import AlreadySaid
from greenroom.delivery.events.ids import BadId, RunId
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.events.policy import Policies
from greenroom.delivery.events.record import Said
from greenroom.delivery.run.pressure import Pressure
from greenroom.delivery.run.run import Run
from greenroom.services.held_run import HeldRun
from greenroom.services.problems import (
    KeyConflict,
    OutOfScope,
    ServerStops,
    TooManyRemoteRuns,
    UnknownRun,
)
from greenroom.supervisor.child_spec import ChildSpec, Restart
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef
from greenroom.supervisor.errors import StartFailed
from greenroom.transport.auth.service_tokens import Service

MOST_ENDED: Final = 1_000
"""Ended runs whose end is remembered, for programs that ask late."""


@attrs.frozen(kw_only=True)
class Beginning:
    """What begins a run. `key`: the idempotency key, if there is one."""

    user: str
    agent: str = "agent"
    thread: str | None = None
    input: JSON = None
    seconds: float | None = None
    policies: Policies = attrs.field(factory=dict)
    parent: str | None = None
    key: str | None = None


Begin = Callable[[Beginning, str | None], AbstractAsyncContextManager[Run]]


@attrs.frozen
class Begun:
    """A run that was begun, now or by an earlier request with the key. `state` is what `GET` of
    the run answers; `started` is its first event."""

    state: dict[str, JSON]
    started: dict[str, JSON]


@attrs.define(eq=False)
class RemoteRuns:
    """The open runs of all services. `begin` makes the block of a run; `supervisor` has the tasks
    that live in these blocks."""

    begin_run: Begin
    supervisor: Callable[[], Awaitable[DynamicSupervisorRef]]
    draining: Callable[[], bool]
    lease_seconds: float = 30.0
    most_runs: int = 1_000
    _open: dict[RunId, HeldRun] = attrs.field(factory=dict)
    _counts: Counter[str] = attrs.field(factory=Counter)
    _ended: OrderedDict[RunId, tuple[str, dict[str, JSON]]] = attrs.field(factory=OrderedDict)
    _beginning: dict[str, trio.Event] = attrs.field(factory=dict)

    async def begin(self, service: Service, beginning: Beginning) -> Begun:
        """Begin a run, or find the one that an equal request with the same key began.

        Raises `OutOfScope`, `TooManyRemoteRuns`, `KeyConflict`, `ServerStops`, and what
        `runtime.run` raises.
        """
        self._check_scope(service, beginning)
        if beginning.key is None:
            return await self._begin(service, beginning, None)
        say = begin_key(service.name, beginning.key)
        while (other := self._beginning.get(say)) is not None:
            await other.wait()
        own = self._beginning[say] = trio.Event()
        try:
            return await self._begin(service, beginning, say)
        except AlreadySaid as error:
            return self._again(service, beginning, error.said)
        finally:
            del self._beginning[say]
            own.set()

    def find(self, service: Service, run: str) -> HeldRun:
        """An open run of the service. Raises `UnknownRun`, or `BadId`."""
        remote = self._open.get(RunId.parse(run))
        if remote is None or remote.service != service.name:
            raise UnknownRun(
                f"run {run} is not open: it has ended, or the server was started again",
                advice="GET it to see its end; begin another run",
            )
        return remote

    def is_open(self, service: Service, run: str) -> bool:
        """Whether the run is open and the service's. Raises `BadId`."""
        remote = self._open.get(RunId.parse(run))
        return remote is not None and remote.service == service.name

    def state(self, service: Service, run: str) -> dict[str, JSON]:
        """The state of a run that is open, or has ended lately. Raises `UnknownRun`."""
        whose, state = self._ended.get(RunId.parse(run), ("", {}))
        return state if whose == service.name else self.find(service, run).state()

    def _check_scope(self, service: Service, beginning: Beginning) -> None:
        if not service.may_speak_to(beginning.user):
            raise OutOfScope(
                f"service {service.name!r} may not speak to this user",
                advice="the `users` of its token say to whom it may",
            )
        if not service.may_speak_as(beginning.agent):
            raise OutOfScope(f"service {service.name!r} may not speak as this agent")

    async def _begin(self, service: Service, beginning: Beginning, say: str | None) -> Begun:
        if self.draining():
            raise ServerStops("the server is about to stop", advice="begin again in a moment")
        parent = None
        if beginning.parent is not None:
            parent = self.find(service, beginning.parent)
            block = parent.run.sub_run(agent=beginning.agent, input=beginning.input)
        else:
            block = self.begin_run(beginning, say)
        remote = HeldRun(service.name, self.lease_seconds, parent)
        with self._counted(service.name):
            start = partial(self._live, remote, block)
            spec = ChildSpec(f"remote:{id(remote)}", start, Restart.TEMPORARY)
            try:
                await (await self.supervisor()).start_child(spec)
            except StartFailed as failed:
                raise _cause_of(failed) from None
        first = await remote.run.agent_started()
        started = {"event": first.event, "kind": str(first.kind)}
        return Begun(remote.state(), started | {"offset": first.offset, "at": first.at})

    @contextmanager
    def _counted(self, service: str) -> Iterator[None]:
        """A place among the open runs of a service, kept by the run if it begins."""
        if self._counts[service] >= self.most_runs:
            raise TooManyRemoteRuns(
                f"service {service!r} has {self.most_runs} open runs, which is the most it may",
                advice="end some, or wait until they end",
            )
        self._counts[service] += 1
        try:
            yield
        except BaseException:
            self._counts[service] -= 1
            raise

    async def _live(
        self,
        remote: HeldRun,
        block: AbstractAsyncContextManager[Run],
        *,
        task_status: trio.TaskStatus[HeldRun],
    ) -> None:
        try:
            await remote.live(block, partial(self._note, remote, task_status))
        finally:
            if remote.has_begun:
                self._forget(remote)

    def _note(self, remote: HeldRun, task_status: trio.TaskStatus[HeldRun]) -> None:
        self._open[remote.run.context.run] = remote
        task_status.started(remote)

    def _forget(self, remote: HeldRun) -> None:
        run = remote.run.context.run
        del self._open[run]
        self._counts[remote.service] -= 1
        self._ended[run] = remote.service, remote.state()
        while len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)

    def _again(self, service: Service, beginning: Beginning, said: Said) -> Begun:
        """The answer to a request whose key was used before."""
        event = Event.decode(said.body)
        same = (
            event.kind is Kind.AGENT_STARTED
            and event.data.get("agent") == beginning.agent
            and same_json(event.data.get("input"), beginning.input)
            and beginning.thread in (None, said.thread)
        )
        if not same:
            raise KeyConflict(
                "the idempotency key was used to begin a different run",
                advice="use a new key for each run, and the same one only to repeat a request",
            )
        return Begun(self._state_again(service, beginning, event), receipt_of(said))

    def _state_again(self, service: Service, beginning: Beginning, event: Event) -> dict[str, JSON]:
        try:
            return self.state(service, event.run)
        except UnknownRun:  # it ended long ago, or with the server that it was begun on
            return {
                "run": event.run,
                "thread": event.thread,
                "user": beginning.user,
                "agent": beginning.agent,
                "request": event.request,
                "lease": self.lease_seconds,
                "parent": None,
                "state": "over",
                "version": 0,
                "pressure": Pressure.NOBODY_LISTENING.value,
                "asks": [],
            }


def begin_key(service: str, key: str) -> str:
    """The key by which the journal knows that a service began a run."""
    return f"begin:{hashlib.sha256(f'{service} {key}'.encode()).hexdigest()}"


def receipt_of(said: Said) -> dict[str, JSON]:
    """The receipt of an event that was kept before."""
    event = orjson.loads(said.body)
    return {name: event[own] for name, own in _RECEIPT.items()}


_RECEIPT: Final = {"event": "id", "kind": "kind", "offset": "offset", "at": "at"}


def _cause_of(failed: StartFailed) -> BaseException:
    cause = failed.__cause__
    return cause if isinstance(cause, GreenroomError | BadId | ValueError) else failed
