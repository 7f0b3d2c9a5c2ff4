"""What tests of runs and users share: the delivery tree on a journal, and a client's socket.

Everything is the real thing but the disk, which can be made to fail and to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Never, TypeVar, cast

import attrs
import orjson
import outcome
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.dead_letters import DeadLetters
from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import ConnectionId, IdSource, SessionId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.policy import NO_POLICIES, POLICIES, Policies
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.ledger import Ledger
from greenroom.delivery.outbox.feed import OutboxLimits, SocketGauge
from greenroom.delivery.run.attempts.attempt import RunAttempt, WhenLost
from greenroom.delivery.run.failures.error_words import ErrorWords
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import (
    Acked,
    Attach,
    Attached,
    ConnectionNews,
    DeliverEvents,
    Detach,
    Written,
)
from greenroom.delivery.user.parts import (
    QUEUE_SECONDS,
    OnUndelivered,
    UsersSettings,
    nothing_more,
    wall_clock_ms,
)
from greenroom.delivery.user.runs.launcher import Converse
from greenroom.delivery.user.runs.run_queue import RUNS_AT_ONCE
from greenroom.delivery.user.users import Users
from greenroom.supervisor.child_info import ChildState
from greenroom.supervisor.child_spec import ChildSpec, Restart, actor_child
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef, dynamic_supervisor_child
from greenroom.supervisor.supervisor import StaticSupervisorRef, open_supervisor

R = TypeVar("R")
ALICE, BOB = UserId("alice"), UserId("bob")
IDS = IdSource()


class Disk(MemoryJournal):
    """A journal whose appends can be made to fail (`errors`, one each) or to wait (`held`)."""

    def __init__(self) -> None:
        super().__init__(epoch="epoch")
        self.errors: list[Exception] = []
        self.appended: list[Sequence[Entry]] = []
        self._held: deque[tuple[Sequence[Entry], Reply[None]]] | None = None

    def hold(self) -> None:
        self._held = deque()

    def release(self) -> None:
        held, self._held = self._held or (), None
        for entries, reply in held:
            self.append_soon(entries).then(partial(pass_on, reply))

    def append_soon(self, entries: Sequence[Entry]) -> Reply[None]:
        if self._held is None:
            return super().append_soon(entries)
        reply: Reply[None] = Reply()
        self._held.append((entries, reply))
        return reply

    def ask(
        self,
        question: Question[R],
        *,
        whose: Hashable = None,
        asker: Ref[Never] | None = None,
    ) -> Reply[R]:
        try:
            self.seek(question)
        except JournalFailed as error:
            reply: Reply[R] = Reply()
            reply.fail(error)
            return reply
        return super().ask(question, whose=whose, asker=asker)

    def seek(self, question: Question[Any]) -> None:
        """Called before each answer; what it raises is the answer."""

    def keep(self, entries: Sequence[Entry]) -> None:
        if entries and self.errors:
            raise self.errors.pop(0)
        super().keep(entries)
        if entries:
            self.appended.append(entries)


def pass_on(reply: Reply[None], result: ReplyOutcome[None]) -> None:
    if isinstance(result, outcome.Error):
        reply.fail(result.error)
    else:
        reply.succeed(None)


class Socket(Actor[ConnectionNews]):
    """A connection: writes down what it is handed, reports it written, and acks if it should."""

    def __init__(self, connection: ConnectionId, user: UserHandle, *, acks: bool) -> None:
        self.connection = connection
        self.gauge = SocketGauge()
        self.news: list[ConnectionNews] = []
        self.records: list[Record] = []
        self._user = user
        self._acks = acks

    async def receive(self, message: ConnectionNews) -> None:
        self.news.append(message)
        if isinstance(message, DeliverEvents):
            self.records += message.records
            through = self.gauge.written = message.records[-1].offset
            self._user.actor.tell(Written(self.connection, through))
            if self._acks:
                self._user.actor.tell(Acked(self.connection, through))


@attrs.define
class Client:
    """A socket that is attached."""

    socket: Socket
    attached: Attached

    @property
    def kinds(self) -> list[str]:
        return [str(record.kind) for record in self.socket.records]

    @property
    def offsets(self) -> list[int]:
        return [record.offset for record in self.socket.records]

    def of(self, kind: type[ConnectionNews]) -> list[ConnectionNews]:
        return [news for news in self.socket.news if type(news) is kind]


@attrs.define(eq=False)
class Backstage:
    """The tree below the runtime: journal, look-up, users."""

    journal: Journal
    users: Users
    root: StaticSupervisorRef
    ledger: Ledger
    dead_letters: DeadLetters

    @asynccontextmanager
    async def run(
        self,
        user: str = "alice",
        *,
        agent: str = "analyst",
        context: UserContext | None = None,
        errors: ErrorWords | None = None,
        policies: Policies = NO_POLICIES,
    ) -> AsyncIterator[Run]:
        context = context or UserContext.new(user=user)
        async with self.users.lease(context.user) as handle:
            run = Run(context, agent=agent, user=handle, ids=IDS, errors=errors, policies=policies)
            async with run.live():
                yield run

    @asynccontextmanager
    async def client(
        self,
        user: str = "alice",
        *,
        session: SessionId | None = None,
        offset: int | None = None,
        acks: bool = True,
    ) -> AsyncIterator[Client]:
        """Connected for the length of the block."""
        async with self.users.lease(UserId(user)) as handle:
            connection = IDS.new(ConnectionId)
            socket = Socket(connection, handle, acks=acks)
            spec = actor_child(connection, lambda: socket, restart=Restart.TEMPORARY)
            ref = cast(Ref[ConnectionNews], await handle.connections.start_child(spec))
            epoch = self.journal.epoch if offset is not None else None
            attach = Attach(connection, ref, session, epoch, offset, socket.gauge)
            try:
                yield Client(socket, await handle.actor.ask(attach))
            finally:
                handle.actor.tell_owed(Detach(connection))

    async def records(self, user: str = "alice") -> list[Record]:
        return await self.journal.read(UserId(user), after=0, limit=100_000, max_bytes=1 << 30)

    async def kinds(self, user: str = "alice") -> list[str]:
        return [str(record.kind) for record in await self.records(user)]

    async def data(self, user: str = "alice") -> list[dict[str, Any]]:
        return [orjson.loads(record.body)["data"] for record in await self.records(user)]

    async def crash(self, user: str) -> None:
        """Make the user's actor fail at what it handles next, and wait until it is back, with what
        restarts after it."""
        async with self.users.lease(UserId(user)) as handle:
            ref = handle.actor
            ref.tell_owed(cast(Any, object()))  # Any: a message it does not know
            await ref.wait_stopped()
            while not self.is_back(handle, ref):  # noqa: ASYNC110 - a supervisor tells nobody
                await trio.sleep(0.01)

    def is_back(self, handle: UserHandle, earlier: Ref[Any]) -> bool:
        states = handle.tree.children().values()
        return set(states) == {ChildState.RUNNING} and handle.actor is not earlier


async def answer_nothing(
    user: UserHandle, context: UserContext, said: JSON, attempt: RunAttempt
) -> None:
    async with Run(context, agent="analyst", user=user, ids=IDS, attempt=attempt).live():
        pass


@asynccontextmanager
async def open_backstage(
    journal: Journal | None = None,
    *,
    converse: Converse = answer_nothing,
    limits: OutboxLimits | None = None,
    idle_seconds: float = 60.0,
    policies: Policies = POLICIES,
    when_lost: WhenLost | None = None,
    on_undelivered: OnUndelivered = nothing_more,
    now_ms: Callable[[], int] | None = None,
    runs_per_user: int = RUNS_AT_ONCE,
    work: int | None = None,
    queue_seconds: float = QUEUE_SECONDS,
) -> AsyncIterator[Backstage]:
    journal, now_ms = journal or MemoryJournal(), now_ms or wall_clock_ms
    await journal.alive(now_ms(), after=0)
    stage: list[StaticSupervisorRef] = []
    users = Users(
        UsersSettings(
            epoch=journal.epoch,
            limits=limits or OutboxLimits(),
            idle_seconds=idle_seconds,
            policies=policies,
            when_lost=when_lost or WhenLost(),
            on_undelivered=on_undelivered,
            now_ms=now_ms,
            runs_per_user=runs_per_user,
            work=work,
            queue_seconds=queue_seconds,
        ),
        supervisor=lambda: cast(DynamicSupervisorRef, stage[0].child("users")),
        journal=journal,
        converse=converse,
    )
    children: list[ChildSpec] = [
        dynamic_supervisor_child("users"),
        *(each for each in users.children() if each.id != "going-on"),
    ]
    async with open_supervisor("root", children) as root:
        stage.append(root)
        ledger = Ledger(users, journal)
        letters = DeadLetters(users, ledger, IDS)
        yield Backstage(journal, users, root, ledger, letters)
