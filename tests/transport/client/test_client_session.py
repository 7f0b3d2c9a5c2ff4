"""The client's side of a session, without a socket."""

import contextlib
from itertools import count

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from greenroom.delivery.events.ids import EventId, IdSource, RequestId, RunId, SessionId, ThreadId
from greenroom.transport.client.frames import BadMessage, Outgoing, Position, RequestFailed, window
from greenroom.transport.client.inbox import Inbox, moved
from greenroom.transport.client.session import (
    ClientSession,
    Closing,
    Complaint,
    DeliverArrivals,
    Expect,
    Leave,
    Opened,
    RequestAnswered,
    Transmit,
    TypingSeen,
)
from greenroom.transport.protocol import frame_codec, wire
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.frame_limits import FrameLimits
from greenroom.transport.protocol.frame_object import BadFrame

NEW = IdSource()
ONE_BY_ONE = IdSource(now_ms=count(1).__next__)
SESSION, RUN, THREAD = NEW.new(SessionId), NEW.new(RunId), NEW.new(ThreadId)
REQUEST, EVENT = NEW.new(RequestId), NEW.new(EventId)
LOST = Leave(CloseCode.POSITION_LOST)


def frame(type_, **fields):
    return orjson.dumps({"type": type_, **fields}).decode()


def ready(offset, *, epoch="e", recovered=False, after=None, event=None, **limits):
    told = {} if after is None else {"from": after, "event": event}
    return frame(
        "ready",
        session=SESSION,
        connection="conn",
        user="alice",
        epoch=epoch,
        offset=offset,
        recovered=recovered,
        heartbeat=25_000,
        features=[],
        **told,
        **limits,
    )


def event(offset, through=None, id_=EVENT):
    superseded = through is not None
    return {
        "offset": offset,
        "id": id_,
        "kind": "superseded" if superseded else "agent_thinking",
        "class": "progress",
        "thread": THREAD,
        "run": RUN,
        "request": REQUEST,
        "at": 0,
        "data": {"through": through} if superseded else {"text": "…"},
    }


def events(*offsets, epoch="e"):
    return frame(
        "events",
        epoch=epoch,
        events=[event(o) if isinstance(o, int) else event(*o) for o in offsets],
    )


def opened(offset=0, position=None, **options):
    session = ClientSession(position)
    session.receive(ready(offset, **options))
    return session


def delivered(commands):
    arrivals = [
        arrival for c in commands if isinstance(c, DeliverArrivals) for arrival in c.arrivals
    ]
    return [arrival.event.offset for arrival in arrivals]


def test_a_fresh_session_starts_where_the_server_is():
    session = ClientSession()
    assert session.hello() == wire.Hello(features=wire.FEATURES)
    (command,) = session.receive(ready(7))
    assert isinstance(command, Opened)
    assert session.position == Position(SESSION, "e", 7)
    assert delivered(session.receive(events(8, 9))) == [8, 9]
    assert session.hello() == wire.Hello(SESSION, "e", 9, EVENT, features=wire.FEATURES)


def test_events_seen_before_are_not_delivered_again():
    session = opened(7)
    session.receive(events(8, 9))
    assert delivered(session.receive(events(8, 9, 10))) == [10]
    assert session.receive(events(10)) == []


def test_a_gap_ends_the_connection_and_keeps_the_place():
    session = opened(7)
    commands = session.receive(events(8, 10))
    assert delivered(commands) == [8]
    assert commands[-1] == LOST
    assert session.hello().offset == 8


def test_a_superseded_event_stands_for_all_it_replaced():
    session = opened(0)
    assert delivered(session.receive(events(1, (2, 5), 6))) == [1, 2, 6]
    assert session.position.offset == 6
    assert delivered(session.receive(events((4, 8)))) == [4]


def test_a_resume_goes_on_where_it_was():
    session = opened(9, Position(SESSION, "e", 4), recovered=True)
    assert session.receive(events(6)) == [LOST]
    assert delivered(session.receive(events(5))) == [5]


def test_a_resume_past_a_trimmed_journal_may_skip_once():
    session = opened(90, Position(SESSION, "e", 4), recovered=False)
    assert delivered(session.receive(events(50, 51))) == [50, 51]
    assert session.receive(events(53)) == [LOST]


@pytest.mark.parametrize(("epoch", "offset"), [("new", 3), ("new", 90), ("e", 3)])
def test_a_place_the_server_does_not_know_is_forgotten(epoch, offset):
    session = opened(offset, Position(SESSION, "e", 40), epoch=epoch)
    assert session.position == Position(SESSION, epoch, offset)
    assert delivered(session.receive(events(offset + 1, epoch=epoch))) == [offset + 1]


@pytest.mark.fault("D5")
def test_a_place_of_another_log_goes_back_to_where_the_server_says():
    last, common = NEW.new(EventId), NEW.new(EventId)
    session = ClientSession(Position(SESSION, "e", 40, last))
    assert (session.hello().offset, session.hello().event) == (40, last)
    (command,) = session.receive(ready(60, after=30, event=common))
    assert command.lost
    assert session.position == Position(SESSION, "e", 30, common)
    assert delivered(session.receive(events(31, 32))) == [31, 32]
    again = ClientSession(Position(SESSION, "e", 40, last))
    (command,) = again.receive(ready(60, recovered=True, after=35))  # it believes no more
    assert not command.lost
    assert again.position == Position(SESSION, "e", 40, last)


@pytest.mark.fault("D5")
def test_the_event_at_a_superseded_place_is_not_known_until_the_next_comes():
    session = opened(0)
    session.receive(events(1, (2, 5)))
    assert (session.hello().offset, session.hello().event) == (5, None)
    session.receive(events(6))
    assert session.hello().event == EVENT


@pytest.mark.fault("C7")
def test_who_took_a_part_of_what_came_resumes_behind_it():
    session, inbox = opened(0), Inbox()
    inbox.begin(session.position)
    for frame_ in (events(1, 2, 3), events(4, (5, 8), 9, (10, 12), 13), events(14)):
        for command in session.receive(frame_):
            inbox.put(command.arrivals)
    assert session.position.offset == 14
    places = [inbox.position.offset]
    while inbox:
        inbox.take()
        places.append(inbox.position.offset)
    # What 5 to 8 and 10 to 12 stand for may be merged into what comes after them in their frame.
    assert places == [0, 1, 2, 3, 4, 4, 4, 4, 13, 14]


@pytest.mark.fault("D5", "C7")
def test_what_was_not_taken_of_a_lost_log_is_never_handed_out():
    session, inbox = opened(0), Inbox()
    inbox.begin(session.position)
    (command,) = session.receive(events(1, 2, 3, 4))
    inbox.put(command.arrivals)
    inbox.take()
    (command,) = session.receive(ready(9, after=2))
    inbox.forget(command.ready.after, command.ready.epoch)
    inbox.begin(command.position)
    assert inbox.take().offset == 2
    assert inbox.position == session.position
    assert not inbox
    (command,) = session.receive(ready(3, epoch="f", after=3))
    assert moved(inbox.position, command.position) == inbox.position  # of the journal before


def test_events_of_another_epoch_or_before_ready_lose_the_place():
    assert opened(0).receive(events(1, epoch="other")) == [LOST]
    assert ClientSession().receive(events(1)) == [LOST]


def test_a_bad_event_in_a_frame_leaves_the_place_as_it_was():
    session = opened(0)
    broken = {**event(2, 3), "data": {}}
    with pytest.raises(BadFrame):
        session.receive(frame("events", epoch="e", events=[event(1), broken]))
    assert session.position.offset == 0


def test_an_ack_covers_everything_received_and_comes_once():
    session = opened(7)
    assert session.ack() is None
    session.receive(events(8, (9, 12)))
    assert session.unacked == 5
    assert session.ack() == wire.Ack(12)
    assert session.ack() is None
    session.receive(events(13))
    session.disconnected()
    assert session.ack() is None


def test_requests_are_sent_again_after_a_reconnect_until_they_are_answered():
    session = opened(0)
    say, cancel = wire.Say("1", "hi"), wire.CancelRun("2", RUN)
    session.request(say)
    session.request(cancel)
    both = [Outgoing("1", frame_codec.encode(say)), Outgoing("2", frame_codec.encode(cancel))]
    assert sent_by(session) == both
    session.disconnected()
    assert sent_by(session) == []
    session.receive(ready(0, recovered=True))
    assert sent_by(session) == both
    (answer,) = session.receive(frame("reply", id="1", ok=True, run=RUN, thread=THREAD))
    assert (answer.id, answer.answer["run"]) == ("1", RUN)
    session.forget("2")
    assert not session.is_waiting
    session.disconnected()
    session.receive(ready(0, recovered=True))
    assert sent_by(session) == []


@pytest.mark.fault("C3")
def test_only_so_many_requests_wait_for_their_answers_at_once():
    session = ClientSession()
    session.receive(ready(0, frames_burst=20, frames_per_second=5))
    for number in range(12):
        session.request(wire.Say(str(number), "hi"))
    assert len(sent_by(session)) == window(FrameLimits(frames_burst=20)) == 5
    session.receive(frame("reply", id="0", ok=True, run=RUN, thread=THREAD))
    assert [each.id for each in sent_by(session)] == ["5"]


def sent_by(session):
    requests = []
    while session.may_send:
        requests.append(session.next_request())
    return requests


def nested(levels):
    return [nested(levels - 1)] if levels else 0


NO_MESSAGES = {
    "half a surrogate pair": wire.Say("1", "\ud800"),
    "a key of half a pair": wire.Say("1", {"\udfff": 1}),
    "no JSON": wire.Say("1", object()),
    "too big a number": wire.Say("1", 2**70),
    "too long an id": wire.Say("x" * 200, "hi"),
    "an empty id": wire.Say("", "hi"),
    "too big a page": wire.HistoryRequest("1", 1000),
    "another kind of id": wire.CancelRun("1", THREAD),
    "too deep": wire.Say("1", nested(80)),
}


@pytest.mark.fault("D6", "C2")
@pytest.mark.parametrize("request_", NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_what_no_server_could_take_is_refused_at_the_call_and_never_sent(request_):
    session = opened(0)
    with pytest.raises(BadMessage, match="cannot be sent"):
        session.request(request_)
    assert not session.is_waiting
    assert sent_by(session) == []


@pytest.mark.fault("C2")
def test_the_biggest_request_is_dropped_when_the_server_closes_for_its_size():
    session = opened(0)
    for number, body in enumerate(["small", "b" * 100, "medium"]):
        session.request(wire.Say(str(number), body))
    assert session.refused_for_size() is None
    sent_by(session)
    refusal = session.refused_for_size()
    assert (refusal.id, type(refusal.answer)) == ("1", BadMessage)
    session.receive(ready(0, recovered=True))
    assert [each.id for each in sent_by(session)] == ["0", "2"]


def test_a_failed_request_says_why():
    session = opened(0)
    session.request(wire.Say("1", "hi"))
    error = {"code": 4502, "message": "no", "temporary": True}
    (answer,) = session.receive(frame("reply", id="1", ok=False, error=error))
    assert isinstance(answer, RequestAnswered)
    assert isinstance(answer.answer, RequestFailed)
    assert answer.answer.temporary


def test_an_answer_nobody_waits_for_is_dropped():
    assert opened(0).receive(frame("reply", id="1", ok=True)) == []


def test_a_ping_that_tells_of_events_that_did_not_come_is_a_gap():
    session = opened(7)
    assert session.receive(frame("ping", offset=7)) == [Transmit(wire.Pong())]
    assert session.receive(frame("ping", offset=8)) == [LOST]
    session.receive(events(8))
    assert session.receive(frame("ping", offset=8)) == [Transmit(wire.Pong())]


def test_the_other_frames_are_passed_on():
    session = opened(0)
    assert session.receive(frame("large", bytes=70_000)) == [Expect(70_000)]
    assert session.receive(frame("ping")) == [Transmit(wire.Pong())]
    typing = frame("typing", **{"thread": THREAD, "from": "bob"})
    assert session.receive(typing) == [TypingSeen(THREAD, "bob")]
    error = frame("error", code=4502, message="no", temporary=False)
    assert session.receive(error) == [Complaint(4502, "no")]
    assert session.receive(frame("invented", later=True)) == []


def test_closing_says_when_to_come_back():
    session = opened(0)
    plan = {"after_ms": 500, "jitter_ms": 2000}
    closing = frame("closing", code=1001, reason="drain", reconnect=plan)
    assert session.receive(closing) == [Closing(1001, "drain", 0.5, 2.0)]
    closing = frame("closing", code=4500, reason="bad", reconnect=None)
    assert session.receive(closing) == [Closing(4500, "bad")]


@given(st.text() | st.binary())
def test_no_frame_raises_anything_but_bad_frame(text):
    with contextlib.suppress(BadFrame):
        opened(0).receive(text)


@pytest.mark.parametrize("type_", ["ready", "events", "reply", "closing", "error", "typing", []])
def test_a_frame_without_its_fields_is_a_bad_frame(type_):
    with pytest.raises(BadFrame, match="unusable"):
        opened(0).receive(frame(type_))


class Resuming(RuleBasedStateMachine):
    """A journal, a wire that drops connections and repeats itself, and a client session."""

    def __init__(self):
        super().__init__()
        self.last = self.sent = 0
        self.connected = False
        self.got = []
        self.session = ClientSession()

    @initialize(before=st.integers(0, 5))
    def start(self, before):
        self.last = self.start_at = before

    @rule(count=st.integers(1, 5))
    def happen(self, count):
        self.last += count

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self):
        hello = self.session.hello()
        recovered = hello.offset is not None
        self.session.receive(ready(self.last, recovered=recovered))
        self.sent = hello.offset if recovered else self.last
        if not recovered:
            self.start_at = self.last
        self.connected = True

    @precondition(lambda self: self.connected)
    @rule(count=st.integers(1, 4), again=st.integers(0, 3))
    def send(self, count, again):
        first = max(1, self.sent + 1 - again)
        through = min(self.last, self.sent + count)
        commands = self.session.receive(events(*range(first, through + 1)))
        assert LOST not in commands
        self.got += delivered(commands)
        self.sent = through

    @precondition(lambda self: self.connected and self.last >= self.sent + 2)
    @rule()
    def lose_one(self):
        assert self.session.receive(events(self.sent + 2)) == [LOST]
        self.disconnect()

    @precondition(lambda self: self.connected)
    @rule()
    def ack(self):
        ack = self.session.ack()
        assert ack is None or ack.offset == self.sent

    @precondition(lambda self: self.connected)
    @rule()
    def disconnect(self):
        self.session.disconnected()
        self.connected = False

    @invariant()
    def everything_came_once_and_in_order(self):
        assert self.got == list(range(self.start_at + 1, self.start_at + 1 + len(self.got)))
        if self.session.position:
            assert self.session.position.offset == self.start_at + len(self.got)


TestResuming = Resuming.TestCase
TestResuming.settings = settings(max_examples=60, stateful_step_count=30)


class Restoring(RuleBasedStateMachine):
    """A journal that is set back to a backup now and then, and the log as a program took it."""

    def __init__(self):
        super().__init__()
        self.log, self.backup, self.taken = [], [], []
        self.connected, self.handed = False, 0
        self.session, self.inbox = ClientSession(), Inbox()

    @rule(count=st.integers(1, 4))
    def happen(self, count):
        self.log += [ONE_BY_ONE.new(EventId) for _ in range(count)]

    @rule()
    def back_up(self):
        self.backup = list(self.log)

    @rule(count=st.integers(0, 6))
    def restore(self, count):
        self.disconnect()
        self.log = list(self.backup)
        self.happen(count)

    @rule()
    def disconnect(self):
        self.session.disconnected()
        self.connected = False

    @precondition(lambda self: not self.connected)
    @rule(restarted=st.booleans())
    def connect(self, restarted):
        if restarted and self.inbox.position:
            self.session, self.inbox = ClientSession(self.inbox.position), Inbox()
        hello = self.session.hello()
        at = hello.offset or 0
        known = self.log[at - 1] if 0 < at <= len(self.log) else None
        recovered = hello.offset is not None and known == hello.event
        common = sum(id_ < (hello.event or "") for id_ in self.log[:at])
        self.handed = at if recovered else common
        event = self.log[self.handed - 1] if self.handed else None
        after = {"after": self.handed, "event": event}
        for command in self.session.receive(ready(len(self.log), recovered=recovered, **after)):
            if command.lost:
                self.inbox.forget(command.ready.after, command.ready.epoch)
                self.taken = self.taken[: command.ready.after]
            if command.lost or self.inbox.position is None:
                self.inbox.begin(command.position)
        self.connected = True

    @precondition(lambda self: self.connected)
    @rule(count=st.integers(1, 4))
    def send(self, count):
        sent = self.log[self.handed :][:count]
        made = [event(self.handed + 1 + each, id_=id_) for each, id_ in enumerate(sent)]
        for command in self.session.receive(frame("events", epoch="e", events=made)):
            self.inbox.put(command.arrivals)
        self.handed += len(sent)

    @precondition(lambda self: self.inbox)
    @rule()
    def take(self):
        self.taken.append(self.inbox.take().id)

    @invariant()
    def nothing_is_missing_between_what_was_taken_and_what_comes(self):
        if self.connected:
            assert self.taken == self.log[: len(self.taken)]
            assert self.inbox.position.offset == len(self.taken)


TestRestoring = pytest.mark.fault("D5", "C7")(Restoring.TestCase)
TestRestoring.settings = settings(max_examples=100, stateful_step_count=40)
