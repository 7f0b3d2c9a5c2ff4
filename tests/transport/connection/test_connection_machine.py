"""The connection machine by its table, and by whatever order of frames, news and timers."""

import json
from collections import deque

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from greenroom.actors.machine.diagram import mermaid, unhandled_pairs
from greenroom.actors.machine.machine import UnlistedPair
from greenroom.actors.machine.runner import MachineRunner
from greenroom.actors.machine.step import CancelTimer, StartTimer
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
from greenroom.delivery.events.kinds import Kind, class_of
from greenroom.delivery.events.record import Page, Record
from greenroom.delivery.user import messages as news
from greenroom.transport.connection.machine import events
from greenroom.transport.connection.machine.data import ConnectionData, Phase, Times
from greenroom.transport.connection.machine.machine import CONNECTION
from greenroom.transport.protocol import frame_codec, wire
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.wire import IsolationViolation

IDS = IdSource()
ALICE, EVE = UserId("alice"), UserId("eve")
SESSION, THREAD, RUN = IDS.new(SessionId), IDS.new(ThreadId), IDS.new(RunId)
TIMES = Times(hello=10.0, heartbeat=20.0, before_expiry=5.0)
ACCEPTING, AUTHENTICATED, READY, CLOSED = Phase
FRAMES = [
    wire.Hello(),
    wire.Ack(1),
    wire.Displayed((1,)),
    wire.Confirm(1),
    wire.Say("1", "hello"),
    wire.CancelRun("1", RUN),
    wire.HistoryRequest("1", 10),
    wire.Refresh("1", "token"),
    wire.Typing(THREAD),
    wire.Pong(),
]


def record(user: UserId, offset: int) -> Record:
    kind, event, request = Kind.AGENT_THINKING, IDS.new(EventId), IDS.new(RequestId)
    body = json.dumps({"offset": offset, "owner": user}).encode()
    return Record(
        user, offset, event, kind, class_of(kind), THREAD, RUN, None, request, 0, None, body
    )


def machine(
    phase: Phase = ACCEPTING, *, expires_in: float | None = None, expires_ms: int | None = None
):
    """A running machine that has come to `phase`, and the commands of its last step."""
    link = ConnectionData(IDS.new(ConnectionId), ALICE, TIMES)
    runner = MachineRunner(CONNECTION, link)
    way = [
        events.Upgraded(expires_in, expires_ms),
        wire.Hello(),
        news.Attached(SESSION, "epoch", 0, False, 0),
        events.SocketGone(),
    ]
    due = runner.start()
    for event in way[: {ACCEPTING: 0, AUTHENTICATED: 1, READY: 3, CLOSED: 4}[phase]]:
        due = runner.handle(event)
    assert runner.state is phase
    return runner, due


def sent(commands: list[object]) -> list[dict[str, object]]:
    return [json.loads(c.frame) for c in commands if isinstance(c, events.Send | events.SendEvents)]


def timers(commands: list[object]) -> dict[object, float]:
    return {c.name: c.after for c in commands if isinstance(c, StartTimer)}


def closes(commands: list[object]) -> list[CloseCode]:
    return [command.code for command in commands if isinstance(command, events.Close)]


# The table


@pytest.mark.requirement("R22")
def test_the_diagram_shows_exactly_the_four_phases_and_their_way():
    lines = mermaid(CONNECTION).splitlines()
    arrows = {tuple(line.split(":")[0].split(" --> ")) for line in lines if "-->" in line}
    ways = {(a.strip(), b.strip()) for a, b in arrows if a.strip() != b.strip()}
    assert ways == {
        ("[*]", "ACCEPTING"),
        ("ACCEPTING", "AUTHENTICATED"),
        ("ACCEPTING", "CLOSED"),
        ("AUTHENTICATED", "READY"),
        ("AUTHENTICATED", "CLOSED"),
        ("READY", "CLOSED"),
        ("CLOSED", "[*]"),
    }


@pytest.mark.requirement("R22")
@pytest.mark.parametrize("frame", frame_codec.FRAMES)
def test_every_frame_has_its_row_wherever_a_client_can_be_heard(frame):
    takes = {phase for phase in Phase if frame in CONNECTION.takes(phase)}
    assert takes == {AUTHENTICATED, READY}


def test_an_acknowledgement_in_ready_only_tells_the_user_actor():
    """So the connection may hand it over without a step of the machine."""
    runner, _ = machine(READY)
    before = runner.data
    told = news.Acked(before.connection, 7)
    assert runner.handle(wire.Ack(7)) == [events.Tell(told)]
    assert (runner.state, runner.data) == (READY, before)


def test_what_is_refused_in_which_phase_is_meant():
    refused = {(phase, event) for phase, event in unhandled_pairs(CONNECTION) if phase is READY}
    assert refused == {
        (READY, events.Upgraded),
        (READY, events.HelloLate),
        (READY, news.Attached),
    }
    assert set(CONNECTION.takes(ACCEPTING)) == {events.Upgraded, events.SocketGone}
    assert CONNECTION.takes(CLOSED) == {}


@pytest.mark.requirement("R22")
def test_nothing_but_ready_takes_events():
    assert [p for p in Phase if news.DeliverEvents in CONNECTION.takes(p)] == [READY]


@pytest.mark.requirement("R22")
def test_the_right_to_send_events_is_made_by_ready_and_ends_with_it():
    runner, _ = machine(AUTHENTICATED)
    assert runner.data.sender is None
    runner.handle(wire.Hello())
    assert runner.data.sender is None
    runner.handle(news.Attached(SESSION, "epoch", 0, False, 0))
    assert (runner.data.sender.user, runner.data.sender.epoch) == (ALICE, "epoch")
    runner.handle(events.HeartbeatDue())
    runner.handle(events.PongDue())
    assert (runner.state, runner.data.sender) == (CLOSED, None)


# Every frame in every phase has an answer


@pytest.mark.parametrize("frame", FRAMES, ids=frame_codec.type_of)
def test_before_hello_every_frame_but_hello_and_pong_is_fatal(frame):
    runner, _ = machine(AUTHENTICATED)
    commands = runner.handle(frame)
    if isinstance(frame, wire.Hello):
        assert commands == [events.AttachTo(frame)]
    elif isinstance(frame, wire.Pong):
        assert commands == []
    else:
        assert [each["type"] for each in sent(commands)] == ["error"]
        assert closes(commands) == [CloseCode.PROTOCOL_ERROR]


@pytest.mark.parametrize("frame", FRAMES, ids=frame_codec.type_of)
def test_in_ready_every_frame_is_passed_on_or_answered(frame):
    runner, _ = machine(READY)
    match runner.handle(frame):
        case [events.Tell()] | [events.Carry()]:
            assert runner.state is READY
        case []:
            assert isinstance(frame, wire.Pong)
        case commands:
            assert isinstance(frame, wire.Hello)
            assert closes(commands) == [CloseCode.PROTOCOL_ERROR]


def test_a_hello_said_twice_before_ready_is_fatal():
    runner, _ = machine(AUTHENTICATED)
    runner.handle(wire.Hello())
    assert closes(runner.handle(wire.Hello())) == [CloseCode.PROTOCOL_ERROR]


def test_what_comes_between_hello_and_ready_is_said_to_be_too_early():
    runner, _ = machine(AUTHENTICATED)
    runner.handle(wire.Hello())
    (error,) = sent(runner.handle(wire.Ack(0)))
    assert "after `ready`" in error["message"]


# Timers


def test_hello_is_due_in_its_time_and_no_longer_once_ready():
    runner, commands = machine(AUTHENTICATED)
    (due,) = [command for command in commands if isinstance(command, StartTimer)]
    assert due.after == 10.0
    runner.handle(wire.Hello())
    runner.handle(news.Attached(SESSION, "epoch", 0, False, 0))
    assert runner.handle(due.event) == []
    assert runner.state is READY


def test_hello_too_late_closes():
    runner, commands = machine(AUTHENTICATED)
    (due,) = [command for command in commands if isinstance(command, StartTimer)]
    assert closes(runner.handle(due.event)) == [CloseCode.HELLO_TOO_LATE]


def test_ready_starts_the_heartbeat_and_each_beat_the_next():
    runner, commands = machine(READY)
    assert timers(commands) == {"heartbeat": 20.0}
    beat = runner.handle(events.HeartbeatDue())
    assert events.Ping(position=False) in beat
    assert timers(beat) == {"pong": 10.0, "heartbeat": 20.0}


def test_a_sign_of_life_after_the_ping_keeps_it_and_one_before_does_not():
    runner, _ = machine(READY)
    runner.handle(events.HeartbeatDue())
    runner.handle(events.Heard())
    assert closes(runner.handle(events.PongDue())) == []
    runner.handle(events.Heard())
    runner.handle(events.HeartbeatDue())
    assert closes(runner.handle(events.PongDue())) == [CloseCode.HEARTBEAT_MISSED]


@pytest.mark.parametrize(("left", "rings"), [(3600.0, 3595.0), (10.0, 9.0), (1.0, 0.9)])
def test_an_expiring_token_rings_a_little_before(left, rings):
    _, commands = machine(AUTHENTICATED, expires_in=left)
    assert timers(commands)["token"] == pytest.approx(rings)


def test_a_token_without_time_left_is_looked_at_at_once_and_closes():
    runner, _ = machine()
    assert events.CheckToken(1_000) in runner.handle(events.Upgraded(0.0, 1_000))
    assert closes(runner.handle(events.TokenLeft(0.0))) == [CloseCode.TOKEN_EXPIRING]


def test_the_wall_clock_has_the_last_word_on_a_token():
    runner, _ = machine(READY, expires_in=100.0, expires_ms=1_000)
    assert runner.handle(events.TokenDue()) == [events.CheckToken(1_000)]
    assert timers(runner.handle(events.TokenLeft(3_700.0))) == {"token": 3_695.0}, "set back"
    assert events.CheckToken(1_000) in runner.handle(events.HeartbeatDue())
    assert closes(runner.handle(events.TokenLeft(-3_500.0))) == [CloseCode.TOKEN_EXPIRING]


def test_a_token_that_never_expires_is_never_looked_at():
    runner, _ = machine(READY)
    checks = (*runner.handle(events.HeartbeatDue()), *runner.handle(events.TokenDue()))
    assert not any(isinstance(command, events.CheckToken) for command in checks)


def test_a_refreshed_token_rings_anew_and_one_that_never_expires_not_at_all():
    runner, _ = machine(READY, expires_in=100.0)
    commands = runner.handle(events.TokenRefreshed("r", ALICE, 300.0, 5))
    assert timers(commands) == {"token": 295.0}
    commands = runner.handle(events.TokenRefreshed("r", ALICE, None, None))
    assert timers(commands) == {}
    assert [c.name for c in commands if isinstance(c, CancelTimer)] == ["token"]


# Isolation


@pytest.mark.requirement("R23")
@pytest.mark.parametrize(
    "leak",
    [
        news.DeliverEvents([record(ALICE, 1), record(EVE, 2)], False),
        events.HistoryRead("h", Page([record(EVE, 1)], False), False),
    ],
    ids=["events", "history"],
)
def test_a_record_of_another_user_is_never_encoded(leak):
    runner, _ = machine(READY)
    with pytest.raises(IsolationViolation, match=r"'eve'.* was stopped on its way to .*'alice'"):
        runner.handle(leak)


# In any order

offsets = st.integers(1, 5)
own = st.lists(st.builds(record, st.just(ALICE), offsets), min_size=1, max_size=3)
mixed = st.tuples(own, st.builds(record, st.just(EVE), offsets)).map(lambda t: [*t[0], t[1]])
answers = st.one_of(
    st.builds(events.RequestRefused, st.just("1"), st.just(CloseCode.SERVER_ERROR), st.text()),
    st.just(events.RunBegan("1", news.RunStarted(RUN, THREAD))),
    st.just(events.RunCancelled("1", RUN)),
    own.map(lambda records: events.HistoryRead("1", Page(records, False), False)),
    st.sampled_from([news.ShowTyping(THREAD, "eve"), news.ReportRefused("no")]),
)
ends = st.one_of(
    st.builds(events.Overstepped, st.sampled_from([CloseCode.RATE_LIMIT, CloseCode.FRAME_TOO_BIG])),
    st.just(events.Draining(500, 2000)),
    st.just(events.SocketGone()),
    st.sampled_from(
        [news.FellBehind(), news.SessionTaken(), events.GaveUp(talks=True), events.GapSeen()]
    ),
)
late = st.one_of(
    st.sampled_from(FRAMES), answers, ends, own.map(lambda r: news.DeliverEvents(r, False))
)
refusals = st.builds(
    events.FrameRefused,
    code=st.just(CloseCode.PROTOCOL_ERROR),
    message=st.text(),
    id=st.none() | st.just("1"),
    fatal=st.booleans(),
)


class Connection(RuleBasedStateMachine):
    """What a shell does: hands over what comes, keeps the timers, and notes what is commanded."""

    def __init__(self):
        super().__init__()
        self.runner = MachineRunner(CONNECTION, ConnectionData(IDS.new(ConnectionId), ALICE, TIMES))
        self.timers = {}
        self.spoken = deque(maxlen=1000)

    def feed(self, event):
        """One step, and what must hold of any one step."""
        before = self.runner.state
        commands = self.runner.handle(event)
        after = self.runner.state
        for command in commands:
            assert before is not CLOSED, "nothing is commanded after the end"
            match command:
                case StartTimer(name, _, fired):
                    self.timers[name] = fired
                case CancelTimer(name):
                    self.timers.pop(name, None)
                case events.SendEvents():
                    assert before is after is READY
                    assert self.runner.data.sender is not None
        speech = [c for c in commands if not isinstance(c, StartTimer | CancelTimer)]
        closing = [i for i, c in enumerate(speech) if isinstance(c, events.Close)]
        assert closing in ([], [len(speech) - 1]), "after Close nothing else is sent"
        assert not closing or after is CLOSED
        self.spoken.extend(speech)
        return speech

    @initialize(steps=st.sampled_from([0, 1, 2, 3, 3, 3, 3]))
    def opened(self, steps):
        """Most examples begin where most of life is spent."""
        way = [events.Upgraded(100.0), wire.Hello(), news.Attached(SESSION, "epoch", 0, False, 0)]
        for event in way[:steps]:
            self.feed(event)

    @precondition(lambda self: self.runner.state is ACCEPTING)
    @rule(expires_in=st.none() | st.floats(1, 1e6))
    def upgraded(self, expires_in):
        assert self.feed(events.Upgraded(expires_in)) == []

    @precondition(lambda self: self.runner.state in (AUTHENTICATED, READY))
    @rule(frame=st.sampled_from(FRAMES))
    def frame_came(self, frame):
        before = self.runner.state
        speech = self.feed(frame)
        if not isinstance(frame, wire.Pong):
            assert speech, "every frame has an answer"
        if isinstance(frame, wire.Hello) and before is READY:
            assert self.runner.state is CLOSED

    @precondition(lambda self: self.runner.state in (AUTHENTICATED, READY))
    @rule(refusal=refusals)
    def bad_frame_came(self, refusal):
        speech = self.feed(refusal)
        assert [each["type"] for each in sent(speech)] in (["error"], ["reply"])
        assert bool(closes(speech)) == refusal.fatal

    @precondition(lambda self: self.runner.state is AUTHENTICATED and self.runner.data.greeted)
    @rule(offset=st.integers(0, 9), recovered=st.booleans())
    def attached(self, offset, recovered):
        speech = self.feed(news.Attached(SESSION, "epoch", offset, recovered, offset))
        assert [each["type"] for each in sent(speech)] == ["ready"]

    @precondition(lambda self: self.runner.state is READY)
    @rule(records=own, replay=st.booleans())
    def events_came(self, records, replay):
        (command,) = self.feed(news.DeliverEvents(records, replay))
        assert command.through == records[-1].offset
        frame = json.loads(command.frame)
        assert {event["owner"] for event in frame["events"]} == {"alice"}
        assert frame.get("replay", False) is replay

    @precondition(lambda self: self.runner.state is READY)
    @rule(records=mixed, by_history=st.booleans())
    def records_of_another_user_came(self, records, by_history):
        leak = news.DeliverEvents(records, False)
        if by_history:
            leak = events.HistoryRead("1", Page(records, False), False)
        with pytest.raises(IsolationViolation):
            self.feed(leak)
        assert self.runner.state is READY

    @precondition(lambda self: self.runner.state is READY)
    @rule(answer=answers)
    def answer_came(self, answer):
        assert self.feed(answer)

    @precondition(lambda self: self.runner.state is READY)
    @rule(user=st.sampled_from([ALICE, EVE]), left=st.none() | st.floats(1, 1e6))
    def token_refreshed(self, user, left):
        speech = self.feed(events.TokenRefreshed("1", user, left, 1))
        assert closes(speech) == ([] if user == ALICE else [CloseCode.IDENTITY_CHANGED])

    @precondition(lambda self: self.timers)
    @rule(data=st.data())
    def timer_rang(self, data):
        name = data.draw(st.sampled_from(sorted(self.timers, key=str)))
        self.feed(self.timers.pop(name))

    @precondition(lambda self: self.runner.state in (AUTHENTICATED, READY))
    @rule()
    def sign_of_life(self):
        assert self.feed(events.Heard()) == []

    @precondition(lambda self: self.runner.state is not CLOSED)
    @rule(end=ends)
    def end_came(self, end):
        if type(end) in CONNECTION.takes(self.runner.state):
            self.feed(end)
            assert self.runner.state is CLOSED

    @precondition(lambda self: self.runner.state is CLOSED)
    @rule(late=late)
    def something_came_after_the_end(self, late):
        with pytest.raises(UnlistedPair):
            self.feed(late)

    @invariant()
    def the_sender_exists_in_ready_alone(self):
        assert (self.runner.data.sender is not None) == (self.runner.state is READY)

    @invariant()
    def no_events_but_after_ready(self):
        ready = [i for i, c in enumerate(self.spoken) if b'{"type":"ready"' in _frame(c)]
        first = [i for i, c in enumerate(self.spoken) if isinstance(c, events.SendEvents)][:1]
        assert not first or ready[0] < first[0]

    @invariant()
    def nothing_of_another_user_was_encoded(self):
        assert not any(b'"owner": "eve"' in _frame(command) for command in self.spoken)

    @invariant()
    def the_last_word_is_close(self):
        closes_ = [isinstance(command, events.Close) for command in self.spoken]
        assert True not in closes_[:-1]

    @invariant()
    def every_phase_waits_for_something(self):
        if self.runner.state is READY:
            assert "heartbeat" in self.timers
        if self.runner.state is CLOSED:
            assert not self.timers


def _frame(command: object) -> bytes:
    return getattr(command, "frame", b"")


TestConnection = pytest.mark.requirement("R22", "R23")(Connection.TestCase)
TestConnection.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_what_a_connection_knows_cannot_be_changed_in_place():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ConnectionData(IDS.new(ConnectionId), ALICE, TIMES).sender = None
