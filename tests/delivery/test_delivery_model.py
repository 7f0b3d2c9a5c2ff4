"""The whole pure delivery core against a simple model: users, tabs, a journal, and bad luck.

The model: a list of events for each user, what each tab showed, what each session acknowledged.
Frames wait on a wire and are lost with it; acknowledgements come late, twice, or forged; appends
fail; processes die; both clocks move, and the wall clock jumps. `HYPOTHESIS_PROFILE=deep` runs
20,000 examples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from itertools import count, pairwise
from typing import Any, TypeVar

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from greenroom.delivery.draft import draft
from greenroom.delivery.events import EventClass, Kind
from greenroom.delivery.feed import (
    Command,
    Deliver,
    GivenUp,
    Limits,
    ReadAgain,
    ReadPage,
    SocketGauge,
)
from greenroom.delivery.ids import (
    ConnectionId,
    EventId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.journal import Mark, Record
from greenroom.delivery.memory_journal import MemoryJournal
from greenroom.delivery.outbox import Outbox
from greenroom.delivery.policy import Policy, outcome_of
from greenroom.delivery.redelivery import Patience
from greenroom.delivery.settling import settle
from greenroom.delivery.stages import Outcome, furthest, standings
from greenroom.supervisor.backoff import Backoff

R = TypeVar("R")
_numbers = count(1)
IDS = IdSource(now_ms=lambda: 0, random_bits=lambda _: next(_numbers))
RUN, THREAD, REQUEST = IDS.new(RunId), IDS.new(ThreadId), IDS.new(RequestId)
USERS = [UserId("alice"), UserId("bob")]
TABS = 2
EPOCH = "epoch"
POLICIES = {
    EventClass.CRITICAL: Policy(expires_after=60),
    EventClass.PROGRESS: Policy(expires_after=20, dead_letter=False),
}
LIMITS = Limits(
    backlog_events=6,
    backlog_bytes=100_000,
    frame_events=3,
    frame_bytes=5_000,
    memory_frames=1,
    sessions=8,
    patience=Patience(Backoff(2.0, 10.0, jitter=0.0)),
)
KINDS = [Kind.TOOL_EXECUTING, Kind.FINAL_REPORT, Kind.AGENT_THINKING, Kind.PARTIAL_RESULT]
SMALL = st.integers(0, 6)


class StillJournal(MemoryJournal):
    """Answers without a scheduler."""

    async def _ready(self) -> None:
        return


def now(coroutine: Coroutine[Any, Any, R]) -> R:  # Any: it never yields nor is sent anything
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: R = done.value
        return result
    raise AssertionError("it waits")


@attrs.define(eq=False)
class Tab:
    """A client as every SDK of ours is: it dedupes, keeps order, and knows its place."""

    user: UserId
    session: SessionId | None = None
    place: int = 0
    shown: list[Record] = attrs.field(factory=list)
    starts: list[int] = attrs.field(factory=lambda: [0])  # stretches between lost places
    connection: ConnectionId | None = None
    gauge: SocketGauge = attrs.field(factory=SocketGauge)
    handed: int = 0
    buffered: deque[Sequence[Record]] = attrs.field(factory=deque)
    wire: deque[Sequence[Record]] = attrs.field(factory=deque)
    late_acks: list[int] = attrs.field(factory=list)

    def lose_socket(self) -> None:
        self.connection = None
        self.buffered.clear()
        self.wire.clear()
        self.late_acks.clear()

    def take(self, records: Sequence[Record]) -> None:
        for record in records:
            assert record.user == self.user, "another user's event"
            if record.offset > self.place:
                assert record.offset == self.place + 1, "a gap"
                self.shown.append(record)
                self.place = record.offset


@attrs.define(eq=False)
class Person:
    """A user: the outbox under test, and the truth about them."""

    user: UserId
    outbox: Outbox[int]
    tabs: list[Tab]
    reach: dict[SessionId, Any] = attrs.field(factory=dict)
    accepted: list[EventId] = attrs.field(factory=list)
    flight: list[Any] | None = None
    reads: list[ReadPage | ReadAgain] = attrs.field(factory=list)
    acked: dict[SessionId, set[int]] = attrs.field(factory=dict)
    durable: set[int] = attrs.field(factory=set)  # what some session durably received
    flying: set[int] = attrs.field(factory=set)
    outcomes: dict[int, Outcome] = attrs.field(factory=dict)


class DeliveryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.journal = StillJournal(epoch=EPOCH)
        self.mono = 1.0
        self.wall = 1_000_000
        self.people = [self.person(user) for user in USERS]

    def person(self, user: UserId) -> Person:
        tabs = [Tab(user) for _ in range(TABS)]
        reach: dict[SessionId, Any] = {}
        return Person(user, self.load(user, reach), tabs, reach)

    def load(self, user: UserId, reach: dict[SessionId, Any]) -> Outbox[int]:
        bounds = now(self.journal.bounds(user))
        return Outbox(user, EPOCH, bounds, LIMITS, reach, clock=lambda: self.mono)

    # Events in

    @rule(who=SMALL, kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
    def emit(self, who: int, kinds: list[Kind]) -> None:
        for kind in kinds:
            event = draft(
                event=IDS.new(EventId),
                kind=kind,
                thread=THREAD,
                run=RUN,
                parent=None,
                request=REQUEST,
                data={"text": "hm"},
            )
            self.whose(who).outbox.offer(event, 0)

    @rule(who=SMALL, lazily=st.booleans())
    def leave(self, who: int, lazily: bool) -> None:
        person = self.whose(who)
        entries = person.outbox.next_append(self.wall, lazily=lazily)
        if entries is not None:
            assert person.flight is None, "two batches in flight"
            person.flight = entries
            person.flying = set().union(*person.acked.values())

    @rule(who=SMALL, fails=st.sampled_from([False, False, False, True]))
    def land(self, who: int, fails: bool) -> None:
        person = self.whose(who)
        if person.flight is None:
            return
        if fails:
            person.flight = None
            person.outbox.append_failed()
            return
        self.keep(person)
        self.obey(person, person.outbox.appended()[1])

    def keep(self, person: Person) -> None:
        assert person.flight is not None
        now(self.journal.append(person.flight))
        person.accepted += [each.id for each in person.flight if isinstance(each, Record)]
        person.durable |= person.flying
        person.flight = None

    @rule(who=SMALL, kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
    def say(self, who: int, kinds: list[Kind]) -> None:
        """The whole way in one rule, so that logs grow."""
        self.emit(who, kinds)
        self.land(who, False)
        self.leave(who, True)
        self.land(who, False)

    # Connections

    @rule(who=SMALL, tab=SMALL, by_session=st.booleans())
    def connect(self, who: int, tab: int, by_session: bool) -> None:
        person, client = self.which(who, tab)
        if client.connection is not None:
            return
        session, known = client.session, None
        if session is not None and person.outbox.cursor(session) is None:
            known = now(self.journal.cursor(person.user, session))
            session = None if known is None else session
        offset = None if by_session or client.session is None else client.place
        cursor = known.offset if known else session and person.outbox.cursor(session)
        position = person.outbox.position(EPOCH if offset is not None else None, offset, cursor)
        session = session or IDS.new(SessionId)
        if session != client.session or not position.recovered:
            client.session, client.place = session, position.offset
            client.starts.append(len(client.shown))
        client.connection, client.gauge = IDS.new(ConnectionId), SocketGauge()
        client.handed = position.offset
        before = person.acked.setdefault(session, set())
        before |= {each.offset for each in client.shown if each.offset <= position.offset}
        commands = person.outbox.attach(client.connection, session, position, known, client.gauge)
        self.obey(person, commands)

    @rule(who=SMALL, tab=SMALL)
    def cut(self, who: int, tab: int) -> None:
        person, client = self.which(who, tab)
        if client.connection is not None:
            person.outbox.detach(client.connection)
            client.lose_socket()

    @rule(who=SMALL, tab=SMALL, frames=st.integers(1, 4))
    def write(self, who: int, tab: int, frames: int) -> None:
        person, client = self.which(who, tab)
        for _ in range(min(frames, len(client.buffered))):
            records = client.buffered.popleft()
            client.wire.append(records)
            client.gauge.written = max(client.gauge.written, records[-1].offset)
            self.obey(person, person.outbox.written(connection_of(client), records[-1].offset))

    @rule(who=SMALL, tab=SMALL, frames=st.integers(1, 4), acks=st.booleans())
    def arrive(self, who: int, tab: int, frames: int, acks: bool) -> None:
        person, client = self.which(who, tab)
        for _ in range(min(frames, len(client.wire))):
            client.take(client.wire.popleft())
            client.late_acks.append(client.place)
        if acks and client.connection is not None:
            self.ack_there(person, client, client.place)

    @rule(who=SMALL)
    def read(self, who: int) -> None:
        person = self.whose(who)
        if person.reads:
            command = person.reads.pop(0)
            limit = command.limit if isinstance(command, ReadAgain) else LIMITS.frame_events
            records = now(
                self.journal.read(person.user, after=command.after, limit=limit, max_bytes=9_999)
            )
            take = person.outbox.again if isinstance(command, ReadAgain) else person.outbox.page
            self.obey(person, take(command.connection, records))

    @rule(who=SMALL, tab=SMALL, frames=st.integers(1, 3), acks=st.booleans())
    def flow(self, who: int, tab: int, frames: int, acks: bool) -> None:
        """A tab connects if it must, and reads for a while, so that there is something to ack."""
        self.connect(who, tab, False)
        for _ in range(frames):
            while self.whose(who).reads:
                self.read(who)
            self.write(who, tab, 1)
            self.arrive(who, tab, 1, acks)

    # Reports, honest and not

    @rule(who=SMALL, tab=SMALL, which=SMALL)
    def ack_late(self, who: int, tab: int, which: int) -> None:
        """Out of order, and any number of times."""
        person, client = self.which(who, tab)
        if client.late_acks:
            self.ack_there(person, client, client.late_acks[which % len(client.late_acks)])

    def ack_there(self, person: Person, client: Tab, offset: int) -> None:
        assert client.session is not None
        assert person.outbox.ack(connection_of(client), offset)
        acked = person.acked[client.session]
        acked |= {each.offset for each in client.shown if each.offset <= offset}
        self.obey(person, person.outbox.wake(connection_of(client)))

    @rule(who=SMALL, tab=SMALL, beyond=st.sampled_from([1, 7, 2**53]), negative=st.booleans())
    def forge_ack(self, who: int, tab: int, beyond: int, negative: bool) -> None:
        person, client = self.which(who, tab)
        if client.connection is not None:
            offset = -1 if negative else client.handed + beyond
            assert not person.outbox.ack(client.connection, offset)
            mark = Mark(person.user, IDS.new(SessionId), offset, "displayed", None, None, at=0)
            assert not person.outbox.mark(client.connection, mark)

    @rule(who=SMALL, tab=SMALL)
    def report_for_another(self, who: int, tab: int) -> None:
        """A connection means nothing to another user's outbox."""
        _, client = self.which(who, tab)
        if client.connection is not None:
            assert not self.whose(who + 1).outbox.ack(client.connection, 0)

    # Time and death

    @rule(seconds=st.sampled_from([0.5, 2.0, 9.0, 30.0]), jump=st.sampled_from([0, 0, 5, -5, 40]))
    def tick(self, seconds: float, jump: int) -> None:
        self.mono += seconds
        self.wall += round(seconds * 1000) + jump * 1000
        for person in self.people:
            due = person.outbox.next_due
            if due is not None and due <= self.mono:
                self.obey(person, person.outbox.redeliver(self.wall))

    @rule(who=SMALL)
    def settle(self, who: int) -> None:
        person = self.whose(who)
        found = now(settle(self.journal, person.user, POLICIES, self.wall))
        for letter in found.letters:
            assert letter.offset not in person.durable, "given up though it was received"
            record = now(self.journal.find(letter.event))
            assert record is not None
            lifetime = POLICIES[record.event_class].expires_after * 1000
            assert self.wall - record.at >= lifetime, "given up before its time"
        letters = [each for each in found.letters if not person.outbox.received(each.offset)]
        person.outbox.note([*letters, *found.settled])

    @rule(who=SMALL, process_too=st.booleans(), kept=st.booleans())
    def restart(self, who: int, process_too: bool, kept: bool) -> None:
        """The actor dies, or its process: then memory is gone. What was in flight may be kept."""
        person = self.whose(who)
        if person.flight is not None and kept:
            self.keep(person)
        person.flight = None
        for client in person.tabs:
            client.lose_socket()
        person.reads.clear()
        if process_too:
            person.reach = {}
            person.acked = {
                session: acked & person.durable for session, acked in person.acked.items()
            }
        person.outbox = self.load(person.user, person.reach)

    # What always holds

    @invariant()
    def everybody_saw_their_own_events_in_order_and_once(self) -> None:
        for person in self.people:
            for client in person.tabs:
                ids = [record.id for record in client.shown]
                assert ids == [person.accepted[record.offset - 1] for record in client.shown]
                for start, end in zip(client.starts, [*client.starts[1:], None], strict=True):
                    offsets = [record.offset for record in client.shown[start:end]]
                    assert all(b == a + 1 for a, b in pairwise(offsets))

    @invariant()
    def what_was_accepted_is_kept(self) -> None:
        for person in self.people:
            bounds = now(self.journal.bounds(person.user))
            assert bounds.last == len(person.accepted)

    @invariant()
    def no_outcome_ever_changes(self) -> None:
        for person in self.people:
            for offset, event in enumerate(person.accepted, 1):
                outcome = self.outcome(person, offset, event)
                if outcome is not None:
                    assert person.outcomes.setdefault(offset, outcome) is outcome

    def outcome(self, person: Person, offset: int, event: EventId) -> Outcome | None:
        cursors = now(self.journal.sent_to(person.user, offset))
        letter = now(self.journal.dead_letter(event))
        record = now(self.journal.find(event))
        assert record is not None
        stage = furthest(standings(offset, cursors, []))
        return outcome_of(stage, POLICIES[record.event_class], letter)

    @invariant()
    def what_a_session_acknowledged_stays_so(self) -> None:
        for person in self.people:
            for session, acked in person.acked.items():
                through = person.outbox.cursor(session)
                assert through is None or through >= max(acked, default=0)

    @invariant()
    def received_is_only_what_was_acknowledged(self) -> None:
        for person in self.people:
            acked = set().union(*person.acked.values()) | person.durable
            for offset, outcome in person.outcomes.items():
                assert outcome is not Outcome.RECEIVED or offset in acked

    def teardown(self) -> None:
        """Left alone, every tab shows everything, and every event has its outcome."""
        for who, person in enumerate(self.people):
            for _ in range(2):  # what flies, then what waits
                self.land(who, False)
                self.leave(who, True)
            self.land(who, False)
            for tab, client in enumerate(person.tabs):
                self.cut(who, tab)
                self.connect(who, tab, False)
                while client.place < person.outbox.last:
                    place = client.place
                    for _ in range(3):
                        while person.reads:  # some of them asked by connections that are gone
                            self.read(who)
                        self.write(who, tab, 4)
                        self.arrive(who, tab, 4, True)
                    assert client.place > place, "it waits for nothing"
                self.cut(who, tab)
        self.everybody_saw_their_own_events_in_order_and_once()
        self.wall += 10_000_000
        for who, person in enumerate(self.people):
            for _ in range(6):
                self.leave(who, True)
                self.land(who, False)
                self.settle(who)
            self.no_outcome_ever_changes()
            self.every_acknowledgement_is_durable(person)
            assert set(person.outcomes) == set(range(1, len(person.accepted) + 1))

    def every_acknowledgement_is_durable(self, person: Person) -> None:
        for session, acked in person.acked.items():
            if acked:
                cursor = now(self.journal.cursor(person.user, session))
                assert cursor is not None
                assert cursor.offset >= max(acked)

    # Helpers

    def whose(self, who: int) -> Person:
        return self.people[who % len(self.people)]

    def which(self, who: int, tab: int) -> tuple[Person, Tab]:
        person = self.whose(who)
        return person, person.tabs[tab % len(person.tabs)]

    def obey(self, person: Person, commands: Iterable[Command]) -> None:
        for command in commands:
            client = next(each for each in person.tabs if each.connection == command.connection)
            match command:
                case Deliver(_, records, _):
                    client.handed = max(client.handed, records[-1].offset)
                    client.buffered.append(records)
                case ReadPage() | ReadAgain():
                    person.reads.append(command)
                case GivenUp():
                    assert client.gauge.written > (person.outbox.cursor(session_of(client)) or 0)
                    client.lose_socket()
                case _:
                    client.lose_socket()


def connection_of(client: Tab) -> ConnectionId:
    assert client.connection is not None
    return client.connection


def session_of(client: Tab) -> SessionId:
    assert client.session is not None
    return client.session


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(
    max_examples=max(200, settings.default.max_examples), deadline=None, stateful_step_count=50
)
TestDelivery.pytestmark = [pytest.mark.requirement("R02", "R03", "R04", "R08", "R12", "R16", "R34")]
