"""The outbox against a plain list: whatever connections, journal and clients do, and when."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count, pairwise
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import (
    ConnectionId,
    EventId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Bounds, Cursor, Mark, Record
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.journal.journal import within
from greenroom.delivery.observer import Observer
from greenroom.delivery.outbox.feed import (
    HandRecords,
    OutboxCommand,
    OutboxLimits,
    ReadPage,
    SocketGauge,
    Superseded,
    TooSlow,
)
from greenroom.delivery.outbox.folding import fold
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.outbox.resumption import Resumption
from greenroom.delivery.outbox.sessions import Reach

ALICE = UserId("alice")
_numbers = count(1)
IDS = IdSource(now_ms=lambda: 0, random_bits=lambda _: next(_numbers))
RUN, THREAD, REQUEST = IDS.new(RunId), IDS.new(ThreadId), IDS.new(RequestId)
SESSIONS = [IDS.new(SessionId) for _ in range(4)]
EPOCH = "epoch"
SMALL = OutboxLimits(
    backlog_events=8,
    backlog_bytes=10_000,
    lag_events=2,
    lag_bytes=1 << 30,
    connections=3,
    frame_events=3,
    frame_bytes=2_000,
    memory_frames=1,
    sessions=3,
)
WINDOW = 2 * SMALL.frame_events
ANY_PLACE = st.integers(0, 1_000)
KINDS = st.sampled_from([Kind.AGENT_THINKING, Kind.PARTIAL_RESULT, Kind.FINAL_REPORT])


def a_draft(size: int = 0, kind: Kind = Kind.AGENT_THINKING) -> Any:
    return draft(
        event=IDS.new(EventId),
        kind=kind,
        thread=THREAD,
        run=RUN,
        parent=None,
        request=REQUEST,
        data={"text": "x" * size},
    )


@attrs.define
class Client:
    """What a connection was handed, as the model sees it: `got` as it is in the log, `given` as
    it was handed. It is `live` once it had all, and `lags` when too much waits for it then."""

    session: SessionId
    start: int
    replay_until: int
    got: list[Record] = attrs.field(factory=list)
    given: list[Record] = attrs.field(factory=list)
    flags: list[bool] = attrs.field(factory=list)
    written: int = 0
    asked: tuple[int, int] | None = None  # a page after here, while the log went to there
    live: bool = False
    lags: bool = False

    @property
    def handed(self) -> int:
        return self.got[-1].offset if self.got else self.start

    @property
    def in_flight(self) -> list[Record]:
        return [record for record in self.given if record.offset > self.written]

    def look(self, end: int) -> None:
        if self.handed == end:
            self.live, self.lags = True, False


class OutboxMachine(RuleBasedStateMachine):
    """`log` is the truth: what is durable. Everything else must follow from it."""

    def __init__(self) -> None:
        super().__init__()
        self.reach: dict[SessionId, Any] = {}
        self.outbox: Outbox[int] = Outbox(ALICE, EPOCH, Bounds(0, 0), SMALL, self.reach)
        self.log: list[Record] = []
        self.trimmed = 0
        self.flight: list[Any] | None = None
        self.offered: list[tuple[Any, int]] = []
        self.flying: list[tuple[Any, int]] = []
        self.tokens = count()
        self.clients: dict[ConnectionId, Client] = {}
        self.gone: list[Client] = []
        self.cursors: dict[SessionId, int] = {}  # durable
        self.marked: dict[tuple[int, SessionId, str], Mark] = {}  # reported and legal
        self.marks: dict[tuple[int, SessionId, str], Mark] = {}  # durable
        self.acked: dict[SessionId, int] = {}  # the furthest legal ack of each session

    # The journal

    @rule(size=st.sampled_from([0, 10, 900, 3_000]), kinds=st.lists(KINDS, min_size=1, max_size=5))
    def offer(self, size: int, kinds: list[Kind]) -> None:
        self.offer_some(size, kinds)

    def offer_some(self, size: int, kinds: list[Kind]) -> None:
        for kind in kinds:
            pair = (a_draft(size, kind), next(self.tokens))
            self.offered.append(pair)
            self.outbox.offer(*pair)

    @rule(lazily=st.booleans())
    def leave(self, lazily: bool) -> None:
        self.send_batch(lazily)

    def send_batch(self, lazily: bool) -> None:
        something = bool(self.offered) or (lazily and self.outbox.has_lazy)
        entries = self.outbox.next_append(0, lazily=lazily)
        if self.flight is not None:
            assert entries is None, "one batch in flight at a time"
            return
        assert (entries is not None) is something
        if entries is not None:
            self.flight, self.flying, self.offered = entries, self.offered, []
            self.check_batch([entry for entry in entries if isinstance(entry, Record)])

    def check_batch(self, records: list[Record]) -> None:
        first = len(self.log) + 1
        assert [r.offset for r in records] == list(range(first, first + len(records)))
        assert [r.id for r in records] == [draft.id for draft, _ in self.flying]
        assert all(r.user == ALICE for r in records)

    @precondition(lambda self: self.flight is not None)
    @rule()
    def append_done(self) -> None:
        self.finish()

    def finish(self) -> None:
        assert self.flight is not None
        records = [entry for entry in self.flight if isinstance(entry, Record)]
        for client in self.clients.values():
            client.lags |= client.live and len(self.log) - client.handed > SMALL.lag_events
        self.log += records
        for entry in self.flight:
            if isinstance(entry, Cursor):
                known = self.cursors.get(entry.session, 0)
                self.cursors[entry.session] = max(known, entry.offset)
            elif isinstance(entry, Mark):
                self.marks[entry.offset, entry.session, entry.stage] = entry
        self.flight = None
        kept, tokens, commands = self.outbox.appended()
        assert list(kept) == records
        assert list(tokens) == [token for _, token in self.flying]
        self.flying = []
        self.obey(commands)

    @precondition(lambda self: self.flight is not None)
    @rule()
    def append_failed(self) -> None:
        self.fail()

    def fail(self) -> None:
        self.flight = None
        assert self.outbox.append_failed() == [token for _, token in self.flying]
        self.flying = []

    @rule(
        size=st.sampled_from([0, 10, 900]),
        kinds=st.lists(KINDS, min_size=1, max_size=9),
        fails=st.booleans(),
    )
    def append(self, size: int, kinds: list[Kind], fails: bool) -> None:
        """The whole way in one rule, so that logs grow long enough to be interesting."""
        self.offer_some(size, kinds)
        if self.flight is None:
            self.send_batch(lazily=True)
        if fails:
            self.fail()
        else:
            self.finish()

    @precondition(lambda self: self.clients)
    @rule(kinds=st.lists(KINDS, min_size=9, max_size=14), data=st.data())
    def pause(self, kinds: list[Kind], data: st.DataObject) -> None:
        """Nobody reads while events come one by one; then somebody goes on."""
        connection = self.some_client(data)
        self.go_on_there(connection, 9)
        for kind in kinds:
            self.append(0, [kind], fails=False)
        self.go_on_there(connection, 9)

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), rounds=st.integers(1, 6))
    def go_on(self, data: st.DataObject, rounds: int) -> None:
        """A client reads, writes and acks for a while."""
        self.go_on_there(self.some_client(data), rounds)

    def go_on_there(self, connection: ConnectionId, rounds: int) -> None:
        for _ in range(rounds):
            if connection in self.clients:
                client = self.clients[connection]
                if client.asked is not None:
                    self.answer(connection, SMALL.frame_events)
                client.written = client.handed
                self.obey(self.outbox.written(connection, client.handed))

    @precondition(lambda self: self.log)
    @rule(place=ANY_PLACE)
    def trim(self, place: int) -> None:
        self.trimmed = max(self.trimmed, place % (len(self.log) + 1))

    @rule(data=st.data(), short=st.integers(1, 3))
    def answer_page(self, data: st.DataObject, short: int) -> None:
        """Late, shorter than asked for, and with what became durable meanwhile."""
        reading = [each for each, client in self.clients.items() if client.asked is not None]
        if not reading:
            return
        connection = data.draw(st.sampled_from(reading))
        self.answer(connection, short)

    def answer(self, connection: ConnectionId, short: int) -> None:
        client = self.clients[connection]
        assert client.asked is not None
        after, known = client.asked
        client.asked = None
        durable = [*self.log, *(e for e in self.flight or () if isinstance(e, Record))]
        kept = durable[max(after, self.trimmed) :][:short]
        found = list(within(SMALL.frame_bytes, kept))
        first = found[0].offset if found and found[0].offset <= len(self.log) else known + 1
        if first > client.handed + 1:  # trimmed while it was read: the client begins anew
            client.start, client.got, client.given, client.flags = first - 1, [], [], []
        self.obey(self.outbox.page(connection, found))
        client.look(len(self.log))

    # Connections

    @rule(
        session=st.sampled_from(SESSIONS),
        by_offset=st.booleans(),
        place=ANY_PLACE,
        epoch=st.sampled_from([EPOCH, EPOCH, EPOCH, None, "another"]),
    )
    def attach(self, session: SessionId, by_offset: bool, place: int, epoch: str | None) -> None:
        if self.outbox.full_for(session):
            others = [c for c in self.clients.values() if c.session != session]
            assert len(others) >= SMALL.connections
            return
        offset = place % (len(self.log) + 3) if by_offset else None
        known = self.outbox.cursor(session)
        cursor = self.cursors.get(session) if known is None else known
        if known is not None:
            assert known >= self.acked.get(session, 0), "a session's place was forgotten"
        position = self.outbox.position(epoch, offset, cursor)
        self.check_position(position, epoch, offset, cursor)
        self.settle_session(session, position)
        connection = IDS.new(ConnectionId)
        client = Client(session, position.offset, len(self.log), written=position.offset)
        older = [each for each, c in self.clients.items() if c.session == session]
        self.clients[connection] = client
        commands = self.outbox.attach(connection, session, position)
        assert [c.connection for c in commands if isinstance(c, Superseded)] == older
        self.obey(commands)
        client.look(len(self.log))

    def settle_session(self, session: SessionId, position: Resumption) -> None:
        acked = self.outbox.cursor(session) or 0
        self.acked[session] = max(acked, position.offset) if position.recovered else position.offset

    def check_position(
        self, position: Resumption, epoch: str | None, offset: int | None, cursor: int | None
    ) -> None:
        wanted = None
        if epoch == EPOCH:
            wanted = cursor if offset is None else offset
        elif epoch is None:
            wanted = cursor
        if wanted is None or wanted > len(self.log):
            assert position == Resumption(len(self.log), recovered=False)
        elif position.recovered:
            assert position.offset == wanted, "a resume yields exactly the missing suffix"
        else:
            assert wanted < position.offset <= self.trimmed, "only what was trimmed is lost"

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def detach(self, data: st.DataObject) -> None:
        connection = self.some_client(data)
        self.gone.append(self.clients.pop(connection))
        self.outbox.detach(connection)

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), all_of_it=st.booleans())
    def report_written(self, data: st.DataObject, all_of_it: bool) -> None:
        connection = self.some_client(data)
        client = self.clients[connection]
        through = client.handed
        if not all_of_it:
            through = data.draw(st.integers(client.written, max(client.written, client.handed)))
        client.written = max(client.written, through)
        self.obey(self.outbox.written(connection, through))

    @rule()
    def a_stranger_reports(self) -> None:
        """A connection that is gone, or never was, changes nothing."""
        stranger = IDS.new(ConnectionId)
        assert not self.outbox.ack(stranger, 0)
        assert list(self.outbox.written(stranger, 1)) == []
        assert list(self.outbox.page(stranger, self.log)) == []

    # Reports

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), beyond=st.integers(-3, 3))
    def ack(self, data: st.DataObject, beyond: int) -> None:
        connection = self.some_client(data)
        client = self.clients[connection]
        offset = client.handed + beyond
        legal = 0 <= offset <= client.handed
        before = {s: self.outbox.cursor(s) for s in SESSIONS}
        assert self.outbox.ack(connection, offset) is legal
        if legal:
            self.acked[client.session] = max(self.acked.get(client.session, 0), offset)
            assert self.outbox.cursor(client.session) == self.acked[client.session]
            before.pop(client.session)
        assert before == {s: self.outbox.cursor(s) for s in before}, "an ack moved somebody else"

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), beyond=st.integers(-2, 2), note=st.sampled_from(["a", "b"]))
    def mark(self, data: st.DataObject, beyond: int, note: str) -> None:
        connection = self.some_client(data)
        client = self.clients[connection]
        offset = client.handed + beyond
        mark = Mark(ALICE, client.session, offset, "confirmed", None, note, at=0)
        legal = 1 <= offset <= client.handed
        assert self.outbox.mark(connection, mark) is legal
        if legal:
            self.marked[offset, client.session, "confirmed"] = mark

    # A crash of whoever drives the outbox, and its next incarnation

    @precondition(lambda self: self.flight is None)
    @rule()
    def restart(self) -> None:
        lost = self.outbox.abandon()
        assert lost == [token for _, token in self.offered]
        self.offered, self.clients = [], {}
        self.marked = dict(self.marks)
        bounds = Bounds(self.trimmed + 1 if self.log else 0, len(self.log))
        self.outbox = Outbox(ALICE, EPOCH, bounds, SMALL, self.reach)

    # What always holds

    @invariant()
    def everyone_has_exactly_the_log_from_their_start(self) -> None:
        for client in [*self.clients.values(), *self.gone]:
            assert client.got == self.log[client.start : client.start + len(client.got)]
            for record, replay in zip(client.got, client.flags, strict=True):
                assert replay is (record.offset <= client.replay_until)

    @invariant()
    def no_more_than_a_window_is_in_flight(self) -> None:
        for client in self.clients.values():
            assert len(client.in_flight) <= WINDOW
            sizes = [len(record.body) for record in client.in_flight]
            assert sum(sizes) <= 2 * SMALL.frame_bytes + max(sizes, default=0)

    @invariant()
    def nobody_with_room_waits_for_nothing(self) -> None:
        for client in self.clients.values():
            if not client.in_flight and client.asked is None:
                assert client.handed == len(self.log), "a lost wake-up"

    @invariant()
    def what_is_not_durable_will_be(self) -> None:
        """A failed append loses no cursor and no mark: they wait, or are in flight."""
        waiting = {k: v for k, v in self.marked.items() if self.marks.get(k) != v}
        if (waiting or self.behind()) and self.flight is None:
            assert self.outbox.has_lazy

    def behind(self) -> bool:
        return any(
            (self.outbox.cursor(session) or 0) > self.cursors.get(session, 0)
            for session in SESSIONS
        )

    @invariant()
    def little_is_remembered(self) -> None:
        assert len(self.outbox._tail.records) <= 2 * SMALL.frame_events
        assert sum(len(r.body) for r in self.outbox._tail.records) <= 2 * SMALL.frame_bytes

    def teardown(self) -> None:
        """Left alone, everybody gets everything, and every cursor and mark becomes durable."""
        for _ in range(2):
            if self.flight is None:
                self.send_batch(lazily=True)
            if self.flight is not None:
                self.finish()
        while behind := [c.handed for c in self.clients.values() if c.handed < len(self.log)]:
            for connection, client in list(self.clients.items()):
                client.written = client.handed
                self.obey(self.outbox.written(connection, client.handed))
                self.answer_all_pages()
            assert behind != [c.handed for c in self.clients.values() if c.handed < len(self.log)]
        self.everyone_has_exactly_the_log_from_their_start()
        assert not self.behind()
        assert self.marks == self.marked

    # Helpers

    def answer_all_pages(self) -> None:
        for connection, client in list(self.clients.items()):
            if client.asked is not None:
                self.answer(connection, SMALL.frame_events)

    def some_client(self, data: st.DataObject) -> ConnectionId:
        return data.draw(st.sampled_from(sorted(self.clients)))

    def obey(self, commands: Iterable[OutboxCommand]) -> None:
        for command in commands:
            client = self.clients[command.connection]
            match command:
                case HandRecords(_, records, replay):
                    assert client.asked is None, "handed on while a page is read"
                    assert 0 < len(records) <= SMALL.frame_events
                    originals = self.log[client.handed : records[-1].offset]
                    assert records == (fold(originals).records if client.lags else originals)
                    client.got += originals
                    client.given += records
                    client.flags += [replay] * len(originals)
                    client.look(len(self.log))
                case ReadPage(_, after):
                    assert client.asked is None
                    assert after == client.handed
                    client.asked = after, len(self.log)
                case TooSlow():
                    behind = self.log[client.handed :]
                    many = len(behind) > SMALL.backlog_events
                    assert many or sum(len(r.body) for r in behind) > SMALL.backlog_bytes
                    self.gone.append(self.clients.pop(command.connection))
                case Superseded():
                    self.gone.append(self.clients.pop(command.connection))


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
TestOutbox.pytestmark = [pytest.mark.requirement("R03", "R08", "R12", "R16", "R34")]


def an_outbox(limits: OutboxLimits = SMALL, last: int = 0, **options: Any) -> Outbox[int]:
    return Outbox(ALICE, EPOCH, Bounds(1 if last else 0, last), limits, **options)


def append(
    outbox: Outbox[int], many: int, size: int = 0, kind: Kind = Kind.AGENT_THINKING
) -> list[OutboxCommand]:
    for _ in range(many):
        outbox.offer(a_draft(size, kind), 0)
    assert outbox.next_append(0) is not None
    return outbox.appended()[2]


def attach(
    outbox: Outbox[int], session: SessionId = SESSIONS[0]
) -> tuple[ConnectionId, list[OutboxCommand]]:
    connection = IDS.new(ConnectionId)
    return connection, outbox.attach(connection, session, Resumption(outbox.last, False))


def test_a_live_connection_that_stops_reading_is_too_slow() -> None:
    outbox = an_outbox()
    connection, _ = attach(outbox)
    commands: list[OutboxCommand] = []
    for _ in range(WINDOW + SMALL.backlog_events + 2):
        commands += append(outbox, 1)
    assert commands[-1] == TooSlow(connection)
    assert outbox.connections == 0


def test_a_live_connection_is_too_slow_by_bytes_too() -> None:
    outbox = an_outbox()
    connection, _ = attach(outbox)
    assert TooSlow(connection) in [c for _ in range(9) for c in append(outbox, 1, 1_900)]


def test_a_connection_that_replays_is_never_too_slow() -> None:
    """It reads pages at its own pace; nothing is kept for it."""
    outbox = an_outbox(last=100)
    connection = IDS.new(ConnectionId)
    outbox.attach(connection, SESSIONS[0], Resumption(0, True))
    commands = [c for _ in range(50) for c in append(outbox, 1)]
    assert TooSlow(connection) not in commands
    assert outbox.furthest_behind == 150


def test_one_burst_above_the_backlog_is_no_slowness() -> None:
    outbox = an_outbox()
    connection, _ = attach(outbox)
    assert TooSlow(connection) not in append(outbox, 5 * SMALL.backlog_events)


def test_what_was_trimmed_does_not_count_as_waiting_bytes() -> None:
    outbox = an_outbox()
    connection, _ = attach(outbox)
    for _ in range(6):
        append(outbox, 1, size=1_700)
    assert list(outbox.written(connection, 1)) == [ReadPage(connection, 2)]
    for _ in range(4):
        append(outbox, 1, size=300)
    outbox.page(connection, [])  # all that it asked for was trimmed meanwhile
    assert outbox.furthest_behind == 1
    commands = [c for _ in range(4) for c in append(outbox, 1, size=1_700)]
    assert not any(isinstance(command, TooSlow) for command in commands)


def test_a_client_that_lost_its_place_to_a_trim_is_told_when_it_resumes() -> None:
    """The client sees the gap; resumed with its offset, it must not be sent into it again."""
    outbox = an_outbox(last=10)
    connection = IDS.new(ConnectionId)
    assert outbox.attach(connection, SESSIONS[0], Resumption(0, True)) == [ReadPage(connection, 0)]
    kept = [a_draft().record(ALICE, offset, 0) for offset in (8, 9, 10)]
    (delivered,) = outbox.page(connection, kept)
    assert delivered == HandRecords(connection, kept, replay=True)
    assert outbox.position(EPOCH, 3, None) == Resumption(7, recovered=False)


def test_what_a_page_shows_before_its_emitter_knows_waits_for_its_turn() -> None:
    """The journal may be ahead of the answer to the append; handed over now, it would be twice."""
    outbox = an_outbox(last=1)
    connection = IDS.new(ConnectionId)
    outbox.attach(connection, SESSIONS[0], Resumption(0, True))
    outbox.offer(a_draft(), 0)
    entries = outbox.next_append(0)
    assert entries is not None
    first, second = a_draft().record(ALICE, 1, 0), entries[0]
    assert isinstance(second, Record)
    assert outbox.page(connection, [first, second]) == [
        HandRecords(connection, [first], replay=True)
    ]
    assert outbox.appended()[2] == [HandRecords(connection, [second], replay=False)]


def test_an_event_takes_along_what_its_session_received_and_leaves_what_it_was_only_sent() -> None:
    """Each event is sent: a cursor beside each would double what an append costs."""
    outbox = an_outbox(last=1)
    connection, gauge = IDS.new(ConnectionId), SocketGauge()
    outbox.attach(connection, SESSIONS[0], Resumption(1, True), gauge=gauge)
    append(outbox, 1, size=10)
    gauge.written = 2
    assert cursors_beside_an_event(outbox) == []
    outbox.ack(connection, 2)
    assert [(each.offset, each.sent) for each in cursors_beside_an_event(outbox)] == [(2, 2)]
    gauge.written = 3
    lazily = outbox.next_append(0, lazily=True)
    assert [(each.offset, each.sent) for each in lazily or () if isinstance(each, Cursor)] == [
        (2, 3)
    ]


def test_what_came_after_an_event_took_the_rest_along_waits_its_own_second() -> None:
    """A timer that was started before is not told: at its end so young a cursor may wait."""
    now = [0.0]
    outbox = Outbox[int](ALICE, EPOCH, Bounds(0, 0), SMALL, clock=lambda: now[0])
    connection, _ = attach(outbox)
    append(outbox, 2, size=10)
    outbox.ack(connection, 1)
    now[0] = 1.0
    assert outbox.lazy_due_in() == 0
    now[0] = 7.0
    assert cursors_beside_an_event(outbox, at=7000)
    assert outbox.lazy_due_in() is None, "nothing waits"
    now[0] = 7.25
    outbox.ack(connection, 2)
    assert outbox.lazy_due_in() == 0.75
    now[0] = 8.0
    assert outbox.lazy_due_in() == 0
    now[0] = 8.5
    outbox.offer(a_draft(), 0)
    outbox.next_append(0)
    outbox.append_failed()
    assert outbox.lazy_due_in() == 0, "what was not kept waits from before"


def test_cursors_are_written_beside_an_event_at_intervals_and_wait_no_longer_than_a_second() -> (
    None
):
    now = [0.0]
    limits = attrs.evolve(SMALL, cursor_interval=0.5)
    outbox = Outbox[int](ALICE, EPOCH, Bounds(0, 0), limits, clock=lambda: now[0])
    connection, _ = attach(outbox)
    written = []
    for number in range(1, 17):
        now[0] = number / 8
        written += [(now[0], each.offset) for each in cursors_beside_an_event(outbox)]
        outbox.written(connection, number)
        outbox.ack(connection, number)
        assert outbox.lazy_due_in() == pytest.approx(1 - (number - 1) % 4 / 8)
    assert written == [(0.125, 0), (0.625, 4), (1.125, 8), (1.625, 12)]

    lazily = outbox.next_append(0, lazily=True) or ()
    assert [each.offset for each in lazily if isinstance(each, Cursor)] == [16]


def cursors_beside_an_event(outbox: Outbox[int], at: int = 0) -> list[Cursor]:
    outbox.offer(a_draft(), 0)
    entries = outbox.next_append(at) or []
    outbox.appended()
    return [entry for entry in entries if isinstance(entry, Cursor)]


def test_sessions_are_forgotten_but_for_the_newest_and_those_in_use() -> None:
    outbox = an_outbox()
    attach(outbox, SESSIONS[0])
    for _ in range(10):
        connection, _ = attach(outbox, IDS.new(SessionId))
        outbox.detach(connection)
        assert outbox.next_append(0, lazily=True)
        outbox.appended()
    assert outbox.cursor(SESSIONS[0]) == 0
    assert len(outbox._sessions._reach) == SMALL.sessions


def test_received_means_by_a_session_that_was_there() -> None:
    """A session that begins after an event has not received it."""
    outbox = an_outbox()
    connection, _ = attach(outbox)
    append(outbox, 2)
    late, _ = attach(outbox, SESSIONS[1])
    assert outbox.ack(late, 2)
    assert not outbox.received(2)
    assert outbox.ack(connection, 1)
    assert [outbox.received(offset) for offset in (1, 2)] == [True, False]


@pytest.mark.requirement("R15")
def test_sent_means_written_to_a_socket_and_stays_so_when_that_is_gone() -> None:
    outbox = an_outbox()
    connection, gauge = IDS.new(ConnectionId), SocketGauge()
    outbox.attach(connection, SESSIONS[0], Resumption(0, False), gauge=gauge)
    append(outbox, 2)
    assert [outbox.standing(offset).stage for offset in (1, 2)] == [ReceiptStage.ACCEPTED] * 2
    gauge.written = 1
    stages = [outbox.standing(offset).stage for offset in (1, 2)]
    assert stages == [ReceiptStage.SENT, ReceiptStage.ACCEPTED]
    gauge.written = 2
    outbox.detach(connection)
    assert outbox.standing(2).stage is ReceiptStage.SENT
    entries = outbox.next_append(0, lazily=True)
    assert entries == [Cursor(ALICE, SESSIONS[0], 0, 0, 2, at=0)]


@pytest.mark.requirement("R27")
def test_all_is_written_once_each_connection_was_handed_everything_and_wrote_it() -> None:
    outbox = an_outbox()
    assert outbox.is_written
    gauges = [SocketGauge(), SocketGauge()]
    for session, gauge in zip(SESSIONS, gauges, strict=False):
        outbox.attach(IDS.new(ConnectionId), session, Resumption(0, False), gauge=gauge)
    assert outbox.is_written, "nothing was to be sent"
    append(outbox, 2)
    gauges[0].written = 2
    assert not outbox.is_written, "the other socket has nothing of it"
    gauges[1].written = 2
    assert outbox.is_written
    append(outbox, WINDOW + 1)
    for gauge in gauges:
        gauge.written = 2 + WINDOW
    assert not outbox.is_written, "the window is written; the last event was not even handed over"


@pytest.mark.requirement("R12")
def test_a_session_is_believed_through_what_its_connections_may_have_got() -> None:
    reach: dict[SessionId, Reach] = {}
    outbox = Outbox[int](ALICE, EPOCH, Bounds(0, 0), SMALL, reach)
    connection, _ = attach(outbox)
    append(outbox, 2)
    believed = [outbox.position(EPOCH, claim, 0, SESSIONS[0]).offset for claim in (1, 2)]
    assert believed == [1, 2], "its connection is there, and is about to be superseded"
    outbox.detach(connection)  # with both on their way: whether they arrived is not known
    append(outbox, 2)
    believed = [outbox.position(EPOCH, claim, 0, SESSIONS[0]).offset for claim in (1, 2, 3, 4)]
    assert believed == [1, 2, 2, 2]
    cursor = Cursor(ALICE, SESSIONS[1], 0, 0, 3, at=0)
    assert outbox.position(EPOCH, 4, 0, SESSIONS[1], cursor).offset == 3
    later = Outbox[int](ALICE, EPOCH, Bounds(1, 4), SMALL, reach)
    append(later, 1)
    believed = [later.position(EPOCH, claim, 0, SESSIONS[0]).offset for claim in (4, 5)]
    assert believed == [4, 4], "an earlier one may not have noted what it sent last"
    assert later.position(EPOCH, 5, 0, SESSIONS[1], cursor).offset == 4


@pytest.mark.requirement("R12")
def test_a_session_is_believed_through_what_its_other_tab_was_handed() -> None:
    """A duplicate that is behind takes the session over: nobody knows which of them claims it."""
    outbox = an_outbox()
    attach(outbox)
    for _ in range(WINDOW + 1):
        append(outbox, 1)
    connection = IDS.new(ConnectionId)
    commands = outbox.attach(connection, SESSIONS[0], Resumption(1, True))
    assert commands[1:] == [ReadPage(connection, 1)], "it was handed nothing yet"
    outbox.detach(connection)
    assert outbox.position(EPOCH, WINDOW + 1, 1, SESSIONS[0]).offset == SMALL.frame_events + 1


def test_offsets_are_given_out_again_after_a_failed_append() -> None:
    outbox = an_outbox()
    for expected in ([1, 2], [1, 2], [1, 2, 3]):
        for _ in expected:
            outbox.offer(a_draft(), 0)
        entries = outbox.next_append(0)
        assert entries is not None
        offsets = [entry.offset for entry in entries if isinstance(entry, Record)]
        assert offsets == expected
        assert all(after == before + 1 for before, after in pairwise(offsets))
        outbox.append_failed()


class Counting(Observer):
    def __init__(self) -> None:
        self.folded = 0

    def superseded(self, events: int) -> None:
        self.folded += events


ROOMY = OutboxLimits(
    backlog_events=100, lag_events=8, lag_bytes=1 << 30, frame_events=8, memory_frames=20
)


def fill_the_window(outbox: Outbox[int]) -> None:
    for _ in range(2):
        append(outbox, ROOMY.frame_events)


def delivered(commands: Iterable[OutboxCommand]) -> list[tuple[int, Kind]]:
    """What is handed over, a `superseded` by the end of what it stands for."""
    records = [r for c in commands if isinstance(c, HandRecords) for r in c.records]
    return [
        (orjson.loads(r.body)["data"].get("through", r.offset), r.kind)  # of a superseded
        for r in records
    ]


def test_a_connection_that_lags_is_handed_folded_progress_and_its_neighbour_all_of_it() -> None:
    observer = Counting()
    outbox = an_outbox(ROOMY, observer=observer)
    slow, _ = attach(outbox)
    quick, _ = attach(outbox, SESSIONS[1])
    got: list[OutboxCommand] = []
    for _ in range(5):
        got += [c for c in append(outbox, 8, kind=Kind.PARTIAL_RESULT) if c.connection == quick]
        assert list(outbox.written(quick, outbox.last)) == []
    assert delivered(got) == [(offset, Kind.PARTIAL_RESULT) for offset in range(1, 41)]
    assert observer.folded == 0
    assert delivered(outbox.written(slow, 16)) == [
        *((23, Kind.SUPERSEDED), (24, Kind.PARTIAL_RESULT)),
        *((31, Kind.SUPERSEDED), (32, Kind.PARTIAL_RESULT)),
        *((39, Kind.SUPERSEDED), (40, Kind.PARTIAL_RESULT)),
    ]
    assert observer.folded == 21
    (live,) = [c for c in append(outbox, 3) if c.connection == slow]
    assert delivered([live]) == [(offset, Kind.AGENT_THINKING) for offset in (41, 42, 43)]


def test_a_connection_lags_by_bytes_too() -> None:
    outbox = an_outbox(attrs.evolve(ROOMY, lag_events=100, lag_bytes=3_000))
    connection, _ = attach(outbox)
    fill_the_window(outbox)
    for _ in range(5):
        append(outbox, 1, 800)
    assert delivered(outbox.written(connection, 16))[0] == (20, Kind.SUPERSEDED)


def test_one_burst_is_no_lag() -> None:
    outbox = an_outbox(ROOMY)
    connection, _ = attach(outbox)
    fill_the_window(outbox)
    append(outbox, 5 * ROOMY.lag_events)
    assert Kind.SUPERSEDED not in [kind for _, kind in delivered(outbox.written(connection, 16))]


def test_a_replay_is_whole_however_slow_it_is() -> None:
    outbox = an_outbox(ROOMY)
    append(outbox, 40)
    connection = IDS.new(ConnectionId)
    commands = outbox.attach(connection, SESSIONS[0], Resumption(8, True))
    for _ in range(5):
        commands += append(outbox, 5)
    for through in range(16, 66, 8):
        commands += outbox.written(connection, through)
    assert delivered(commands) == [(n, Kind.AGENT_THINKING) for n in range(9, 66)]


def test_an_acknowledgement_counts_all_that_was_folded() -> None:
    outbox = an_outbox(ROOMY)
    connection, _ = attach(outbox)
    fill_the_window(outbox)
    for _ in range(3):
        append(outbox, 8)
    assert len(delivered(outbox.written(connection, 16))) == 6
    assert outbox.ack(connection, 40)
    assert all(outbox.received(offset) for offset in range(1, 41))
    assert outbox.bytes_behind == 0


@pytest.mark.requirement("R04")
def test_what_was_sent_folded_is_sent_again_as_it_is() -> None:
    """Who got it folded knows by the offsets that there is nothing new in it."""
    now = 1.0
    outbox = an_outbox(ROOMY, clock=lambda: now)
    connection, gauge = IDS.new(ConnectionId), SocketGauge()
    outbox.attach(connection, SESSIONS[0], Resumption(0, False), gauge=gauge)
    fill_the_window(outbox)
    for _ in range(3):
        append(outbox, 8)
    assert (23, Kind.SUPERSEDED) in delivered(outbox.written(connection, 16))
    gauge.written = 40
    assert outbox.ack(connection, 16)
    now = 4.0
    (again,) = outbox.redeliver(at=0)
    assert isinstance(again, HandRecords)
    assert again.replay
    assert delivered([again]) == [(n, Kind.AGENT_THINKING) for n in range(17, 25)]
