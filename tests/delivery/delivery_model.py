"""The truth about users and their tabs, which the delivery core is held to.

A list of the events of each user, what each session saw, acknowledged and marked, and what of
that is durable. It knows nothing of cursors, pages, frames or breakers.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import attrs
import orjson
import outcome

from greenroom.actors.mailbox import Mailbox
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply
from greenroom.actors.reply import ReplyOutcome as Result
from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.events.draft import forgotten
from greenroom.delivery.events.ids import (
    AskId,
    ConnectionId,
    EventId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.policy import NO_POLICIES, Policies, Policy
from greenroom.delivery.events.record import DeadLetter, Entry, Record
from greenroom.delivery.events.stages import Outcome, ReceiptStage
from greenroom.delivery.events.threads import erased
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.outbox.feed import SocketGauge
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.admission import Admission
from greenroom.delivery.user.asks import Asks
from greenroom.delivery.user.erasing import Erasing
from greenroom.delivery.user.messages import Attached
from greenroom.delivery.user.outcomes.receipts import Receipts
from greenroom.delivery.user.outcomes.reports import Account, Reports
from greenroom.delivery.user.outcomes.settling import Settler
from greenroom.delivery.user.parts import UserParts
from tests.delivery.attempts_model import Runs, Story

R = TypeVar("R")
ERASED_AT_ONCE = 3
Stages = dict[int, ReceiptStage]


class StillJournal(MemoryJournal):
    """Answers without a scheduler, erases a thread in small steps, and tells what it erased."""

    def __init__(self, *, epoch: str) -> None:
        super().__init__(epoch=epoch)
        self.erased: defaultdict[UserId, set[int]] = defaultdict(set)

    async def _ready(self) -> None:
        return

    def everything(self, user: UserId) -> list[Record]:
        return now(self.read(user, after=0, limit=10_000, max_bytes=10**9))

    def erase_thread_soon(self, user: UserId, thread: ThreadId, *, through: int) -> Reply[bool]:
        found = [each.offset for each in self.everything(user) if each.thread == thread]
        left = [each for each in found if each <= through]
        step, more = left[:ERASED_AT_ONCE], len(left) > ERASED_AT_ONCE
        super().erase_thread_soon(user, thread, through=step[-1] if more else through)
        self.erased[user].update(step)
        reply = Reply[bool]()
        reply.succeed(more)
        return reply


def now(coroutine: Coroutine[Any, Any, R] | Awaitable[R]) -> R:  # Any: nothing is sent to it
    """The result of a coroutine that waits for nothing."""
    assert isinstance(coroutine, Coroutine)
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: R = done.value
        return result
    raise AssertionError("it waits")


def ref(name: str) -> Ref[Any]:
    """A name to go by; nobody reads the mailbox."""
    return Ref(name, Mailbox(16))


@attrs.frozen
class StillParts(UserParts):
    """What is asked of the journal waits until the model lets it be answered, or fail."""

    asked: deque[Callable[[bool], None]] = attrs.field(factory=deque, kw_only=True)

    def ask_journal(
        self,
        asker: Ref[Any],
        question: Question[R],
        then: Callable[[Result[R]], None],
    ) -> None:
        def answer(fails: bool) -> None:
            if fails:
                then(outcome.Error(JournalFailed("the disk has hiccups")))
            else:
                self.journal.ask(question).then(then)

        self.asked.append(answer)

    def tell_answer(
        self, asker: Ref[Any], answer: Reply[R], then: Callable[[Result[R]], None]
    ) -> None:
        """What was asked is done, even if the answer is that it failed."""

        def tell(fails: bool) -> None:
            if fails:
                then(outcome.Error(JournalFailed("the disk has hiccups")))
            else:
                answer.then(then)

        self.asked.append(tell)


@attrs.define(eq=False)
class Tab:
    """A client as every SDK of ours is: it dedupes, keeps order, and knows its place."""

    session: SessionId | None = None
    place: int | None = None  # None: it takes what comes
    foreign: EventId | None = None  # the event at its place, in the log of a user who was erased
    connection: ConnectionId | None = None
    connecting: Reply[Attached] | None = None
    hello: tuple[SessionId | None, bool, int | None] = (None, True, None)
    claims: bool = False  # its hello says that it has more than it was handed
    gauge: SocketGauge = attrs.field(factory=SocketGauge)
    handed: int = 0
    buffered: deque[Sequence[Record]] = attrs.field(factory=deque)
    wire: deque[Sequence[Record]] = attrs.field(factory=deque)
    late_acks: list[int] = attrs.field(factory=list)
    quiet_since: float = 0.0  # nothing new was acknowledged
    silent_ticks: int = 0
    resent: int = 0

    def lose_socket(self) -> None:
        self.connection = self.connecting = None
        self.buffered.clear()
        self.wire.clear()
        self.late_acks.clear()

    def heard(self, at: float) -> None:
        self.quiet_since, self.silent_ticks, self.resent = at, 0, 0


@attrs.define(eq=False)
class Wait:
    """Somebody who waits for an event to get somewhere."""

    offset: int
    stage: ReceiptStage
    reply: Reply[None]
    blind: bool = False  # the journal could not answer it


@attrs.define(eq=False)
class Truth:
    """What is so about one user, whatever the delivery core says."""

    accepted: list[Record] = attrs.field(factory=list)
    trimmed: int = 0
    seen: dict[SessionId, set[int]] = attrs.field(factory=dict)
    reached: dict[SessionId, Stages] = attrs.field(factory=dict)
    marks: dict[SessionId, Stages] = attrs.field(factory=dict)
    durable: dict[SessionId, Stages] = attrs.field(factory=dict)
    flying: dict[SessionId, Stages] = attrs.field(factory=dict)
    starts: dict[SessionId, int] = attrs.field(factory=dict)
    handed: dict[SessionId, int] = attrs.field(factory=dict)
    written: dict[SessionId, int] = attrs.field(factory=dict)  # to sockets, since the last death
    flying_written: dict[SessionId, int] = attrs.field(factory=dict)
    born: int = 0  # the last offset when the actor started
    flying_starts: dict[SessionId, int] = attrs.field(factory=dict)
    flying_reached: dict[SessionId, Stages] = attrs.field(factory=dict)
    durable_reached: dict[SessionId, Stages] = attrs.field(factory=dict)
    durable_starts: dict[SessionId, int] = attrs.field(factory=dict)
    outcomes: dict[int, Outcome] = attrs.field(factory=dict)
    letters: dict[EventId, DeadLetter] = attrs.field(factory=dict)
    told: Counter[EventId] = attrs.field(factory=Counter)
    runs: dict[RunId, Story] = attrs.field(factory=dict)  # those that go on
    say_policies: dict[EventClass, Policy] = attrs.field(factory=dict)  # of the next of these
    touched: set[int] = attrs.field(factory=set)  # the journal erased these
    gone: set[int] = attrs.field(factory=set)  # so the core knows, too
    forgotten: set[int] = attrs.field(factory=set)  # these left only their places

    def erase(self, thread: ThreadId) -> None:
        """It was said that the thread is erased."""
        self.gone.update(each for each in self.touched if self.accepted[each - 1].thread == thread)

    def kept_as(self, offset: int) -> Record:
        """What the journal has."""
        record = self.accepted[offset - 1]
        if offset in self.touched:
            return erased(record)
        return forgotten(record) if offset in self.forgotten else record

    def sees(self, tab: Tab, records: Sequence[Record]) -> None:
        """The tab shows what is new to it: the next event, as it was accepted."""
        assert tab.session is not None
        for record in records:
            if tab.place is None:
                tab.place = record.offset - 1
            if record.offset > tab.place:
                assert record.offset == tab.place + 1, "a gap"
                tab.place = through(record)
                seen = self.seen.setdefault(tab.session, set())
                seen.update(range(record.offset, tab.place + 1))

    def check(self, records: Sequence[Record]) -> None:
        """These are events as they were accepted, or stand for such: for an erased one, or for some
        of progress, side by side."""
        place, pieces = records[0].offset, set[int]()
        for record in records:
            assert record.offset == place, "a gap"
            place = through(record) + 1
            accepted = self.accepted[record.offset - 1 : place - 1]
            if record.offset in self.touched and record == erased(accepted[0]):
                continue
            assert self.gone.isdisjoint(range(record.offset, place)), "it was erased"
            if record.offset in self.forgotten and record == forgotten(accepted[0]):
                continue
            if record.kind is Kind.SUPERSEDED:
                assert all(each.event_class is EventClass.PROGRESS for each in accepted)
                pieces.update(each.offset for each in accepted if each.kind is Kind.PARTIAL_RESULT)
            elif record != accepted[0]:
                merges = set(data_of(record)["merges"])
                assert merges <= pieces, "it has a text that was handed over already"
                pieces -= merges
                texts = [data_of(self.accepted[each - 1])["text"] for each in sorted(merges)]
                assert attrs.evolve(record, body=b"") == attrs.evolve(accepted[0], body=b"")
                assert data_of(record)["text"] == "".join([*texts, data_of(accepted[0])["text"]])
        assert not pieces, "a piece of an answer is missing"

    def acked(self, session: SessionId, through: int) -> bool:
        """Everything the session saw through here is received. True when that is new."""
        known = self.reached.setdefault(session, {})
        new = {each for each in self.seen.get(session, ()) if each <= through} - known.keys()
        known.update(dict.fromkeys(new, ReceiptStage.RECEIVED))
        return bool(new)

    def hands(self, session: SessionId, through: int) -> None:
        """Another tab of the session may have been handed more."""
        self.handed[session] = max(through, self.handed.get(session, 0))

    def cursor(self, session: SessionId) -> int:
        """What the session has received through."""
        return max([*self.reached.get(session, ()), self.starts.get(session, 0)])

    def marked(self, session: SessionId, offset: int, stage: ReceiptStage) -> None:
        marks = self.marks.setdefault(session, {})
        marks[offset] = max(stage, marks.get(offset, stage))

    def stage(self, offset: int) -> ReceiptStage:
        return furthest(offset, [self.reached, self.marks, self.durable])

    def durable_stage(self, offset: int) -> ReceiptStage:
        return furthest(offset, [self.durable])

    def writes(self, session: SessionId, through: int) -> None:
        self.written[session] = max(through, self.written.get(session, 0))

    def leaves(self, *, lazily: bool) -> None:
        """A batch leaves: all that was reported by now goes with it, and `lazily` what was sent."""
        self.flying_written = dict(self.written) if lazily else {}
        sessions = self.reached.keys() | self.marks.keys()
        self.flying = {
            each: merged(self.reached.get(each, {}), self.marks.get(each, {})) for each in sessions
        }
        self.flying_starts = dict(self.starts)
        self.flying_reached = {session: dict(each) for session, each in self.reached.items()}

    def kept(self, entries: Iterable[Entry]) -> None:
        for session, stages in self.flying.items():
            self.durable[session] = merged(self.durable.get(session, {}), stages)
        self.durable_starts |= self.flying_starts
        self.durable_reached |= self.flying_reached
        self.not_kept()
        for entry in entries:
            if isinstance(entry, Record):
                self.accepted.append(entry)
                self.tells(entry)
            elif isinstance(entry, DeadLetter):
                assert entry.event not in self.letters, "given up twice"
                self.letters[entry.event] = entry

    def tells(self, record: Record) -> None:
        """A run that goes on is whole so far."""
        if record.kind is Kind.USER_SAID:
            self.runs[record.run] = Story(record.offset, dict(self.say_policies))
        elif (story := self.runs.get(record.run)) is not None:
            story.sees(record)

    def policy_of(self, record: Record, policies: Policies) -> Policy:
        """Its run's own one, or that of its class."""
        story = self.runs.get(record.run)
        own = story.policies if story else NO_POLICIES
        return own.get(record.event_class) or policies[record.event_class]

    def trim(self, through: int) -> None:
        """The journal forgot everything through this offset."""
        self.trimmed = through
        for story in self.runs.values():
            story.forgets(through)

    def not_kept(self) -> None:
        self.flying, self.flying_starts, self.flying_reached = {}, {}, {}
        self.flying_written = {}

    def forgets(self, *, reports_too: bool) -> None:
        """A crash: marks that were not durable are gone, and in a new process reports, too."""
        self.not_kept()
        self.marks, self.written = {}, {}
        if reports_too:
            self.starts = dict(self.durable_starts)
            self.reached = {session: dict(each) for session, each in self.durable_reached.items()}


def data_of(record: Record) -> Any:
    return orjson.loads(record.body)["data"]


def through(record: Record) -> int:
    """The last offset that an event stands for."""
    return int(data_of(record)["through"]) if record.kind is Kind.SUPERSEDED else record.offset


def furthest(offset: int, places: Iterable[dict[SessionId, Stages]]) -> ReceiptStage:
    found = (stages.get(offset) for place in places for stages in place.values())
    return max((each for each in found if each is not None), default=ReceiptStage.ACCEPTED)


def merged(one: Stages, other: Stages) -> Stages:
    return one | {o: max(stage, one.get(o, stage)) for o, stage in other.items()}


@attrs.define(eq=False)
class Person:
    """A user: the truth about them, and the delivery core under test."""

    user: UserId
    truth: Truth
    tabs: list[Tab]
    parts: StillParts
    outbox: Outbox[Any] = attrs.field(init=False)
    settler: Settler = attrs.field(init=False)
    receipts: Receipts = attrs.field(init=False)
    reports: Reports = attrs.field(init=False)
    admission: Admission = attrs.field(init=False)
    asks: Asks = attrs.field(init=False)
    erasing: Erasing = attrs.field(init=False)
    runs: Runs = attrs.field(init=False)
    asked: list[AskId] = attrs.field(factory=list)
    answers: list[tuple[AskId, int, Reply[int]]] = attrs.field(factory=list)
    ask_at: float | None = None
    flight: list[Entry] | None = None
    untold: bool = False  # the flight is durable, and the core does not know yet
    settle_at: float | None = None
    erases_on: bool = False
    waits: list[Wait] = attrs.field(factory=list)

    def tab_of(self, connection: ConnectionId) -> Tab:
        return next(each for each in self.tabs if each.connection == connection)

    def reports_on(self, outbox: Outbox[Any]) -> Reports:
        return Reports(self.user, self.parts, outbox, Account(self.parts.observer))
