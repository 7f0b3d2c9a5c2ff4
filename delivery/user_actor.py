"""The user actor: the single writer of one user's sequence.

A shell around the pure `Outbox`: it turns messages into calls and commands into tells. Once
started it awaits nothing but its mailbox, so neither a slow disk nor a slow socket holds it up.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from typing import Any, ClassVar, TypeAlias, TypeVar

import attrs
import outcome

from greenroom.actors.actor import Actor
from greenroom.actors.errors import ActorStopped
from greenroom.actors.exit import ExitReason
from greenroom.actors.ref import Ask, Ref
from greenroom.actors.reply import Outcome, Reply
from greenroom.delivery.context import UserContext
from greenroom.delivery.draft import Draft, draft
from greenroom.delivery.errors import (
    EventNotKept,
    JournalError,
    OutOfSequence,
    TooManyConnections,
)
from greenroom.delivery.events import JSON, Kind
from greenroom.delivery.ids import (
    ConnectionId,
    EventId,
    IdSource,
    RunId,
    SessionId,
    UserId,
)
from greenroom.delivery.journal import Entry, Journal, Mark, OpenRun, Record, Said
from greenroom.delivery.journal_writer import Append, LookUp
from greenroom.delivery.outbox import (
    FRAME_BYTES,
    FRAME_EVENTS,
    Command,
    Deliver,
    Limits,
    Outbox,
    ReadPage,
    Superseded,
)
from greenroom.delivery.user_messages import (
    Acked,
    AgentTyping,
    Attach,
    Attached,
    AwaitReceived,
    ConfirmedThere,
    ConnectionNews,
    DeliverEvents,
    Detach,
    DisplayedThere,
    Emit,
    FellBehind,
    FromConnection,
    FromRun,
    ReportRefused,
    RunStarted,
    SessionTaken,
    ShowTyping,
    UserSays,
    UserTyping,
    Written,
)

LAZY_SECONDS = 1.0
"""How long a cursor or mark may wait for events to travel to the disk with."""

R = TypeVar("R")


@attrs.frozen
class AppendDone:
    """The journal answered: the batch in flight is durable, or lost."""

    result: Outcome[None]


@attrs.frozen
class LookedUp:
    """The journal answered a question; `then` goes on with the answer."""

    then: Callable[[Outcome[Any]], None]  # Any: the question decides the type of its answer
    result: Outcome[Any]


@attrs.frozen
class FlushLazily:
    """Time to write cursors and marks that no event took along."""


UserMessage: TypeAlias = FromRun | FromConnection | AppendDone | LookedUp | FlushLazily
Launch: TypeAlias = Callable[[UserContext, JSON], None]
Handlers: TypeAlias = Mapping[type[object], Callable[..., None]]


@attrs.define
class Gauge:
    """How the user's connections keep up; written by the user actor, read by runs."""

    listening: int = 0
    behind: int = 0


@attrs.frozen
class UserParts:
    """What a user actor works with; the refs are looked up anew, since their actors restart.

    `live_runs`: this user's runs that are alive in this process. `launch` starts the agent for
    what the user said; it must not block.
    """

    writer: Callable[[], Ref[Append]]
    look_up: Callable[[], Ref[LookUp[Any]]]
    epoch: str
    live_runs: Container[RunId]
    launch: Launch
    gauge: Gauge = attrs.field(factory=Gauge)
    limits: Limits = attrs.field(factory=Limits)
    ids: IdSource = attrs.field(factory=IdSource)
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


class UserActor(Actor[UserMessage]):
    """Owns one user's outbox, loaded from the journal when it starts.

    Runs that the journal says are open and that are not alive here were lost with an earlier
    process: they are ended with `agent_failed`, reason `lost`.
    """

    outbox: Outbox[Reply[Record]]

    def __init__(self, user: UserId, parts: UserParts) -> None:
        self.user = user
        self._parts = parts
        self._connections: dict[ConnectionId, Ref[ConnectionNews]] = {}
        self._awaiting: list[tuple[int, Reply[None]]] = []
        self._says: dict[str, list[Reply[RunStarted]]] = {}

    async def started(self) -> None:
        await self._parts.writer().ask(Append(()))  # behind whatever an earlier self had in flight
        bounds = await self._parts.look_up().ask(LookUp(lambda journal: journal.bounds(self.user)))
        runs = await self._parts.look_up().ask(LookUp(lambda journal: journal.open_runs(self.user)))
        self.outbox = Outbox(self.user, self._parts.epoch, bounds, self._parts.limits)
        for run in runs:
            if run.run not in self._parts.live_runs:
                self.outbox.offer(self._lost(run), Reply())
        self._flush()

    async def receive_many(self, messages: deque[UserMessage | Ask[object]]) -> None:
        while messages:
            message = messages.popleft()
            self.recent.append(message)
            if type(message) is Ask:
                self._requests[type(message.request)](self, message.request, message.reply)
            else:
                self._news[type(message)](self, message)
        self._flush()

    async def stopping(self, reason: ExitReason) -> None:
        self._fail_all(ActorStopped(self.ref.name, reason))
        if reason.orderly and (entries := self.outbox.next_append(self._now(), lazily=True)):
            await self._parts.writer().ask(Append(entries))

    # Runs

    def _emit(self, request: Emit, reply: Reply[Record]) -> None:
        self.outbox.offer(request.draft, reply)

    def _await_received(self, request: AwaitReceived, reply: Reply[None]) -> None:
        self._awaiting.append((request.offset, reply))
        self._resolve_received()

    def _agent_typing(self, message: AgentTyping) -> None:
        self._tell_all(ShowTyping(message.thread, message.agent), self._connections)

    # What the user says

    def _user_says(self, request: UserSays, reply: Reply[RunStarted]) -> None:
        replies = self._says.setdefault(request.say, [])
        replies.append(reply)
        if len(replies) == 1:
            self._look_up(
                lambda journal: journal.said(self.user, request.say),
                lambda said: self._say_known(request, said),
            )

    def _say_known(self, request: UserSays, known: Outcome[Said | None]) -> None:
        if isinstance(known, outcome.Error):
            self._answer_say(request.say, known)
        elif known.value is not None:
            again = RunStarted(known.value.run, known.value.thread)
            self._answer_say(request.say, outcome.Value(again))
        else:
            self._keep_say(request)

    def _keep_say(self, request: UserSays) -> None:
        context = UserContext.new(
            user=self.user, thread=request.thread, session=request.session, ids=self._parts.ids
        )
        kept: Reply[Record] = Reply()
        kept.then(lambda result: self._say_kept(request, context, result))
        self.outbox.offer(self._user_said(request, context), kept)

    def _say_kept(self, request: UserSays, context: UserContext, result: Outcome[Record]) -> None:
        if isinstance(result, outcome.Error):
            return self._answer_say(request.say, result)
        self._parts.launch(context, request.body)
        started = RunStarted(context.run, context.thread)
        return self._answer_say(request.say, outcome.Value(started))

    def _answer_say(self, say: str, result: Outcome[RunStarted]) -> None:
        for reply in self._says.pop(say, ()):
            if isinstance(result, outcome.Error):
                reply.fail(result.error)
            else:
                reply.succeed(result.value)

    # Connections

    def _attach(self, request: Attach, reply: Reply[Attached]) -> None:
        session = request.session
        if session is None:
            self._admit(request, reply, None, None)
        elif (known := self.outbox.cursor(session)) is not None:
            self._admit(request, reply, session, known)
        else:
            self._look_up(
                lambda journal: journal.cursor(self.user, session),
                lambda cursor: self._cursor_known(request, reply, cursor),
            )

    def _cursor_known(
        self, request: Attach, reply: Reply[Attached], known: Outcome[int | None]
    ) -> None:
        if isinstance(known, outcome.Error):
            reply.fail(known.error)
        elif known.value is None:
            self._admit(request, reply, None, None)
        else:
            self._admit(request, reply, request.session, known.value)

    def _admit(
        self,
        request: Attach,
        reply: Reply[Attached],
        session: SessionId | None,
        cursor: int | None,
    ) -> None:
        if request.ref.exit_reason is not None:
            return  # it left while its session was looked up
        if self.outbox.full_for(session):
            reply.fail(TooManyConnections(f"user {self.user!r} has too many live connections"))
            return
        session = session or self._parts.ids.new(SessionId)
        position = self.outbox.position(request.epoch, request.offset, cursor)
        last, recovered = self.outbox.last, position.recovered
        commands = self.outbox.attach(request.connection, session, position)
        self._connections[request.connection] = request.ref
        reply.succeed(Attached(session, self.outbox.epoch, last, recovered))
        self._perform(commands)

    def _detach(self, message: Detach) -> None:
        self._connections.pop(message.connection, None)
        self.outbox.detach(message.connection)

    def _written(self, message: Written) -> None:
        self._perform(self.outbox.written(message.connection, message.through))

    def _acked(self, message: Acked) -> None:
        if self.outbox.ack(message.connection, message.offset):
            self._resolve_received()
        else:
            self._refuse(message.connection, f"ack of offset {message.offset}: it was not sent")

    def _displayed(self, message: DisplayedThere) -> None:
        for offset in message.offsets:
            self._mark(message.connection, offset, "displayed", None, None)

    def _confirmed(self, message: ConfirmedThere) -> None:
        self._mark(message.connection, message.offset, "confirmed", message.verdict, message.note)

    def _user_typing(self, message: UserTyping) -> None:
        others = [each for each in self._connections if each != message.connection]
        self._tell_all(ShowTyping(message.thread, self.user), others)

    # The journal

    def _append_done(self, message: AppendDone) -> None:
        if isinstance(message.result, outcome.Error):
            return self._append_failed(message.result.error)
        done, commands = self.outbox.appended()
        for record, reply in done:
            reply.succeed(record)
        return self._perform(commands)

    def _append_failed(self, error: BaseException) -> None:
        """What was not kept fails at its emitter. If it is not known whether it was kept, or
        another writer was there, this actor must load its user anew: it crashes."""
        for reply in self.outbox.append_failed():
            lost = EventNotKept(f"the journal did not keep the event: {error}")
            lost.__cause__ = error
            reply.fail(lost)
        if not isinstance(error, JournalError) or isinstance(error, OutOfSequence):
            raise error

    def _looked_up(self, message: LookedUp) -> None:
        message.then(message.result)

    def _flush_lazily(self, _: FlushLazily) -> None:
        self._append(self.outbox.next_append(self._now(), lazily=True))

    # Inside

    def _flush(self) -> None:
        self._append(self.outbox.next_append(self._now()))
        self._parts.gauge.listening = self.outbox.connections
        self._parts.gauge.behind = self.outbox.furthest_behind
        if self.outbox.has_lazy and FlushLazily not in self.timers:
            self.timers.start(FlushLazily, LAZY_SECONDS, FlushLazily())

    def _append(self, entries: list[Entry] | None) -> None:
        if entries is not None:
            self._parts.writer().pipe(Append(entries), self.ref, AppendDone)

    def _look_up(
        self, question: Callable[[Journal], Awaitable[R]], then: Callable[[Outcome[R]], None]
    ) -> None:
        self._parts.look_up().pipe(
            LookUp(question), self.ref, lambda result: LookedUp(then, result)
        )

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if type(command) is Deliver:
                news = DeliverEvents(command.records, command.replay)
                self._connections[command.connection].tell_owed(news)
            elif type(command) is ReadPage:
                self._read_page(command)
            else:
                ref = self._connections.pop(command.connection)
                ref.tell_owed(SessionTaken() if type(command) is Superseded else FellBehind())

    def _read_page(self, command: ReadPage) -> None:
        self._look_up(
            lambda journal: journal.read(
                self.user, after=command.after, limit=FRAME_EVENTS, max_bytes=FRAME_BYTES
            ),
            lambda page: self._perform(self.outbox.page(command.connection, page.unwrap())),
        )

    def _mark(
        self, connection: ConnectionId, offset: int, stage: Any, verdict: JSON, note: str | None
    ) -> None:
        session = self.outbox.session_of(connection)
        if session is None:
            return
        mark = Mark(self.user, session, offset, stage, verdict, note, self._now())
        if not self.outbox.mark(connection, mark):
            self._refuse(connection, f"{stage} offset {offset}: it was not sent")

    def _refuse(self, connection: ConnectionId, message: str) -> None:
        self._tell_all(ReportRefused(message), [connection])

    def _tell_all(self, news: ConnectionNews, connections: Iterable[ConnectionId]) -> None:
        for connection in connections:
            if connection in self._connections:
                self._connections[connection].tell_owed(news)

    def _resolve_received(self) -> None:
        still = []
        for offset, reply in self._awaiting:
            if self.outbox.received(offset):
                reply.succeed(None)
            elif not reply.abandoned:
                still.append((offset, reply))
        self._awaiting = still

    def _fail_all(self, error: ActorStopped) -> None:
        waiting: list[Reply[Any]] = [*self.outbox.abandon(), *(r for _, r in self._awaiting)]
        for reply in [*waiting, *(reply for says in self._says.values() for reply in says)]:
            reply.fail(ActorStopped(error.name, error.reason))

    def _lost(self, run: OpenRun) -> Draft:
        return draft(
            event=self._parts.ids.new(EventId),
            kind=Kind.AGENT_FAILED,
            thread=run.thread,
            run=run.run,
            parent=run.parent,
            request=run.request,
            data={"error": "RunLost", "message": "the server stopped", "reason": "lost"},
        )

    def _user_said(self, request: UserSays, context: UserContext) -> Draft:
        return draft(
            event=self._parts.ids.new(EventId),
            kind=Kind.USER_SAID,
            thread=context.thread,
            run=context.run,
            parent=None,
            request=context.request,
            data={"body": request.body, "say": request.say},
            say=request.say,
        )

    def _now(self) -> int:
        return self._parts.now_ms()

    _requests: ClassVar[Handlers] = {
        Emit: _emit,
        AwaitReceived: _await_received,
        UserSays: _user_says,
        Attach: _attach,
    }
    _news: ClassVar[Handlers] = {
        AgentTyping: _agent_typing,
        Detach: _detach,
        Written: _written,
        Acked: _acked,
        DisplayedThere: _displayed,
        ConfirmedThere: _confirmed,
        UserTyping: _user_typing,
        AppendDone: _append_done,
        LookedUp: _looked_up,
        FlushLazily: _flush_lazily,
    }
