"""The user actor: the single writer of one user's sequence.

A shell around the pure `Outbox`: it turns messages into calls and commands into tells. Once
started it awaits only its mailbox, so neither a slow disk nor a slow socket holds it up.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeAlias

import outcome
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.actors.exit import ExitReason
from greenroom.actors.reactors.reactor import Reactor
from greenroom.actors.ref import ActorStopped, Ask
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.errors import AlreadySaid, EventNotKept, JournalError, OutOfSequence
from greenroom.delivery.events.ids import BadId, UserId
from greenroom.delivery.events.record import RUN_TURNS, Entry, Record
from greenroom.delivery.events.stages import Standing
from greenroom.delivery.outbox.feed import OutboxCommand
from greenroom.delivery.outbox.notes import LAZY_SECONDS
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.admission import Admission
from greenroom.delivery.user.asks import AboutAsk, Asks
from greenroom.delivery.user.connections import Connections
from greenroom.delivery.user.erasing import AGAIN_SECONDS, Erasing
from greenroom.delivery.user.messages import (
    Acked,
    AgentTyping,
    AppendDone,
    AskDue,
    AskStanding,
    Attach,
    Attached,
    AwaitStage,
    ConfirmedThere,
    Detach,
    DisplayedThere,
    Emit,
    EndLeftRuns,
    EraseOn,
    EraseThread,
    EventsTrimmed,
    FlushLazily,
    LookedUp,
    RedeliverDue,
    ReportRefused,
    RunLeft,
    RunStarted,
    SettleAll,
    SettleDue,
    ShowTyping,
    UserMessage,
    UserSays,
    UserTyping,
    Written,
)
from greenroom.delivery.user.nodes.catching_up import CatchingUp
from greenroom.delivery.user.nodes.messages import FromNodes, LoseRuns
from greenroom.delivery.user.outcomes.receipts import Receipts
from greenroom.delivery.user.outcomes.reports import Account, Reports
from greenroom.delivery.user.outcomes.settling import Settler
from greenroom.delivery.user.parts import BATCH, Gauge, ReadUser, UserParts
from greenroom.delivery.user.runs.user_runs import UserRuns

__all__ = ["Gauge", "UserActor", "UserMessage", "UserParts"]

logger = logging.getLogger("greenroom.delivery")

_USUAL: Final = frozenset({FlushLazily, RedeliverDue})
"""The timers that run while events are sent and acknowledged."""

_AGAIN: Final = (AlreadySaid, OutOfSequence)

Handlers: TypeAlias = Mapping[type[object], Callable[..., None]]


class UserActor(Reactor[UserMessage]):
    """Owns one user's outbox, loaded from the journal when it starts.

    Runs that are open in the journal but not alive here were lost with an earlier process: they
    are ended with `agent_failed`, reason `lost`. So are runs whose code left without a durable
    end.
    """

    outbox: Outbox[Reply[Record]]
    _runs: UserRuns
    _asks: Asks
    _connections: Connections
    _catch_up: CatchingUp
    _receipts: Receipts
    _reports: Reports
    _settler: Settler
    _erasing: Erasing

    def __init__(self, user: UserId, parts: UserParts) -> None:
        self.user = user
        self._parts = parts
        self._landed: AppendDone | None = None
        self._account = Account(parts.observer)

    async def started(self) -> None:
        parts, journal, ref = self._parts, self._parts.journal, self.ref
        if journal.is_appending:  # perhaps for an earlier incarnation
            await journal.append_soon(()).wait()
        known = await journal.ask(ReadUser(self.user), whose=ref.name, asker=ref).wait()
        user, clock = self.user, trio.lowlevel.current_clock().current_time
        epoch, limits, reach, observer = parts.epoch, parts.limits, parts.reach, parts.observer
        outbox = self.outbox = Outbox(
            user, epoch, known.bounds, limits, reach, clock=clock, observer=observer
        )
        asks = self._asks = Asks(user, parts, outbox, ref, partial(self.timers.start, AskDue))
        runs = self._runs = UserRuns(user, parts, outbox, ref, asks, known, self.timers)
        receipts = self._receipts = Receipts(user, parts, outbox, ref)
        self._settler = Settler(user, parts, outbox, ref)
        connections = self._connections = Connections(user, parts, outbox, self._account, ref)
        self._catch_up = CatchingUp(user, parts, outbox, ref, asks, runs, connections, receipts)
        self._reports = Reports(user, parts, outbox, self._account)
        later = partial(self.timers.start, EraseOn, AGAIN_SECONDS, EraseOn())
        self._erasing = Erasing(user, parts, outbox, runs.open, ref, connections.tell_all, later)
        parts.gauge.fed = self.outbox
        # No checkpoint from here until this actor is up: a run that ends now either finds this
        # actor or is no longer among the live runs here.
        self._runs.begin()
        asks.load(known.asked, self._runs.open)
        if known.bounds.last:
            self._settler.look()
        self._flush()

    def handle_many(self, messages: deque[UserMessage | Ask[object]]) -> None:
        """A batch of bounded length: the remaining messages wait until other actors had theirs."""
        left, recent = BATCH, self.recent
        while messages and left > 0:
            message = messages.popleft()
            recent.append(message)
            if type(message) is Ask:
                request = message.request
                self._requests[type(request)](self, request, message.reply)
                left -= 1
            else:
                self._news[type(message)](self, message)
                left -= len(message.offsets) if type(message) is DisplayedThere else 1
        self._flush()

    async def stopping(self, reason: ExitReason) -> None:
        try:
            if reason.orderly:
                await self._write_rest()
        except GreenroomError as error:
            logger.warning("%s could not write its last entries: %s", self.ref.name, error)
        finally:
            self._parts.gauge.fed = None
            self._runs.give_up()
            self._fail_all(reason)

    # Runs

    def _emit(self, request: Emit, reply: Reply[Record]) -> None:
        self._runs.emit(request.draft, reply)

    def _about_ask(self, request: AboutAsk, reply: Reply[Any]) -> None:
        self._asks.take(request, reply)

    def _ask_due(self, _: AskDue) -> None:
        self._asks.expire()

    def _await_stage(self, request: AwaitStage, reply: Reply[None]) -> None:
        self._receipts.wait(request, reply)

    def _ask_standing(self, request: AskStanding, reply: Reply[Standing]) -> None:
        self._receipts.tell(request, reply)

    def _run_left(self, message: RunLeft) -> None:
        self._runs.leave(message.run, message.words)

    def _user_says(self, request: UserSays, reply: Reply[RunStarted]) -> None:
        self._runs.says.say(request, reply)

    def _agent_typing(self, message: AgentTyping) -> None:
        self._connections.show_typing(ShowTyping(message.thread, message.agent))

    # Connections

    def _attach(self, request: Attach, reply: Reply[Attached]) -> None:
        user, parts, outbox = self.user, self._parts, self.outbox
        admission = Admission(user, parts, outbox, self.ref, self._asks, self._admitted)
        self._catch_up.attach(request, reply, admission.attach)

    def _admitted(
        self, request: Attach, before: int | None, commands: Iterable[OutboxCommand]
    ) -> None:
        self._connections.add(request.connection, request.ref)
        self._reports.resumed(request.connection, before)
        self._receipts.resolve()
        self._connections.perform(commands)

    def _detach(self, message: Detach) -> None:
        self._connections.detach(message)

    def _written(self, message: Written) -> None:
        self._connections.written(message)

    def _reported(self, message: Acked | DisplayedThere | ConfirmedThere) -> None:
        refused = self._reports.take(message)
        if refused is None:
            self._receipts.resolve()
            self._connections.perform(self.outbox.wake(message.connection))
        else:
            self._connections.tell(message.connection, ReportRefused(refused))

    def _user_typing(self, message: UserTyping) -> None:
        news = ShowTyping(message.thread, self.user)
        self._connections.show_typing(news, but=message.connection)

    # The journal

    def _append_done(self, message: AppendDone) -> None:
        self._landed, result = None, message.result
        if isinstance(result, outcome.Error):
            self._append_failed(result.error)
        else:
            self._kept()
        if self._catch_up.wanted:
            self._catch_up.look()

    def _kept(self) -> None:
        """The journal has kept the batch in flight."""
        outbox = self.outbox
        records, replies, commands = outbox.appended()
        for record, reply in zip(records, replies, strict=True):
            if record.kind in RUN_TURNS:
                self._runs.kept(record)
            reply.succeed(record)
        if records:
            self._account.kept(records)
            self._settler.kept()
        if outbox.notes_kept:
            self._settler.tell(outbox.notes_kept)
        self._connections.perform(commands)

    def _append_failed(self, error: BaseException) -> None:
        """Fail the emitters of events that were not kept. If that is not known, crash: this actor
        must reload its user from the journal."""
        if isinstance(error, AlreadySaid):  # frames of its traceback hold the reply that holds it
            self.outbox.say_refused(error.say).fail(error.with_traceback(None))
            return
        if isinstance(error, OutOfSequence):
            self._catch_up.refused(error)
            return
        if not isinstance(error, JournalError | BadId):
            raise error
        for reply in self.outbox.append_failed():
            lost = EventNotKept(f"the journal did not keep the event: {safe_str(error)}")
            lost.__cause__ = error
            reply.fail(lost)
        self._runs.append_failed()

    def _looked_up(self, message: LookedUp) -> None:
        message.then(message.result)

    def _flush_lazily(self, _: FlushLazily) -> None:
        self._append(self.outbox.next_append(self._parts.now_ms(), lazily=True))

    def _redeliver(self, _: RedeliverDue) -> None:
        self._connections.perform(self.outbox.redeliver(self._parts.now_ms()))

    def _settle(self, _: SettleDue) -> None:
        self._settler.look()

    def _trimmed(self, message: EventsTrimmed) -> None:
        self.outbox.trimmed(message.through)

    def _from_nodes(self, news: FromNodes) -> None:
        self._catch_up.take(news)

    def _lose_runs(self, _: LoseRuns, reply: Reply[None]) -> None:
        self._catch_up.lose_runs(reply)

    def _settle_all(self, _: SettleAll, reply: Reply[int | None]) -> None:
        self._settler.settle_all(reply)

    def _erase_thread(self, request: EraseThread, reply: Reply[None]) -> None:
        self._erasing.erase(request.thread, reply)

    def _erase_on(self, _: EraseOn) -> None:
        self._erasing.go_on()

    def _end_left_runs(self, _: EndLeftRuns) -> None:
        """The flush after each batch of messages ends the runs."""

    async def _write_rest(self) -> None:
        """The last append. The mailbox is closed, so wait for the answer here."""
        if self.outbox.busy:
            await self._parts.journal.append_soon(()).wait_outcome()
            if self._landed is not None:  # the batch in flight, written before the empty append
                self._append_done(self._landed)
        await self._runs.end_left_at_once()
        await self._catch_up.finish()
        again = True  # what a refused append had waits again
        while (
            again
            and (entries := self.outbox.next_append(self._parts.now_ms(), lazily=True)) is not None
        ):
            append = self._parts.journal.append_soon(self._runs.says.on_condition(entries))
            result = await append.wait_outcome()
            self._append_done(AppendDone(result))
            again = isinstance(result, outcome.Error) and isinstance(result.error, _AGAIN)
            await self._catch_up.finish()

    # Inside

    def _flush(self) -> None:
        runs, outbox = self._runs, self.outbox
        if runs.open.left:
            runs.end_left()
        while outbox.has_next:
            self._append(outbox.next_append(self._parts.now_ms()))
        if runs.broken.waiting:
            runs.take_up_broken()
        if self._settler.due_in is not None or not self.timers.all_run(_USUAL):
            self._wind()

    def _wind(self) -> None:
        """One timer for the first deadline. Neither an event nor an acknowledgement stops it."""
        timers, outbox = self.timers, self.outbox
        if FlushLazily not in timers and outbox.has_lazy:
            timers.start(FlushLazily, LAZY_SECONDS, FlushLazily(), left=outbox.lazy_due_in)
        if RedeliverDue not in timers and (due_in := self._redelivery_left()) is not None:
            timers.start(RedeliverDue, due_in, RedeliverDue(), left=self._redelivery_left)
        if (due_in := self._settler.take_due()) is not None:
            timers.start(SettleDue, due_in, SettleDue())

    def _redelivery_left(self) -> float | None:
        """At most the shortest wait: another connection may get a deadline as near as that."""
        if (due := self.outbox.next_due) is None:
            return None
        return min(max(0.0, due - trio.current_time()), self._parts.limits.patience.shortest)

    def _append(self, entries: Sequence[Entry] | None) -> None:
        if entries is None:
            return
        reply = self._parts.journal.append_soon(self._runs.says.on_condition(entries))
        if reply.has_value:  # a journal in memory
            self._kept()
        else:
            reply.then(self._appended)

    def _appended(self, result: ReplyOutcome[None]) -> None:
        self._landed = AppendDone(result)
        self.ref.hand(self._landed)

    def _fail_all(self, reason: ExitReason) -> None:
        stopped = partial(ActorStopped, self.ref.name, reason)
        self._asks.fail_all(stopped)
        for reply in self.outbox.abandon():
            reply.fail(stopped())
        self._receipts.fail_all(stopped)
        self._runs.says.fail_all(stopped)
        self._erasing.fail_all(stopped)

    _requests: ClassVar[Handlers] = {
        Emit: _emit,
        AwaitStage: _await_stage,
        AskStanding: _ask_standing,
        UserSays: _user_says,
        **dict.fromkeys(Asks.REQUESTS, _about_ask),
        Attach: _attach,
        SettleAll: _settle_all,
        EraseThread: _erase_thread,
        LoseRuns: _lose_runs,
    }
    _news: ClassVar[Handlers] = {
        AgentTyping: _agent_typing,
        RunLeft: _run_left,
        Detach: _detach,
        Written: _written,
        Acked: _reported,
        DisplayedThere: _reported,
        ConfirmedThere: _reported,
        UserTyping: _user_typing,
        AppendDone: _append_done,
        LookedUp: _looked_up,
        FlushLazily: _flush_lazily,
        EndLeftRuns: _end_left_runs,
        EraseOn: _erase_on,
        RedeliverDue: _redeliver,
        SettleDue: _settle,
        EventsTrimmed: _trimmed,
        **dict.fromkeys(CatchingUp.NEWS, _from_nodes),
        AskDue: _ask_due,
    }
