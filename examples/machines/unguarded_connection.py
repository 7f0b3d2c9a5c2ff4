"""greenroom's own connection machine with its guard removed, and how that is found.

The bug is planted: events of the user are sent in any phase, not in *ready* alone.
Run it: `python examples/machines/unguarded_connection.py`.
"""

from __future__ import annotations

from greenroom.actors import Machine, On, Step, stay
from greenroom.delivery.events.ids import (
    AskId,
    ConnectionId,
    EventId,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import Kind, class_of
from greenroom.delivery.events.record import Page, Record
from greenroom.delivery.user.messages import (
    Attached,
    DeliverEvents,
    ReportRefused,
    RunStarted,
    ShowTyping,
    ThreadErased,
)
from greenroom.testing import Taken, explore
from greenroom.transport.auth.verdict import Verdict
from greenroom.transport.connection.machine import events
from greenroom.transport.connection.machine.data import ConnectionData, Phase, Times
from greenroom.transport.connection.machine.machine import CONNECTION
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode

ALICE = UserId("alice")
SESSION = SessionId("sess_01jz00000000000000000000s1")
THREAD = ThreadId("thread_01jz00000000000000000000t1")
RUN = RunId("run_01jz00000000000000000000r1")
ASK = AskId("ask_01jz00000000000000000000a1")


def _record(offset: int) -> Record:
    return Record(
        user=ALICE,
        offset=offset,
        id=EventId("evt_01jz00000000000000000000e1"),
        kind=Kind.AGENT_THINKING,
        event_class=class_of(Kind.AGENT_THINKING),
        thread=THREAD,
        run=RUN,
        parent=None,
        request=RequestId("req_01jz00000000000000000000q1"),
        at=0,
        say=None,
        body=b"{}",
    )


LINK = ConnectionData(ConnectionId("conn_01jz00000000000000000000c1"), ALICE, Times())
EVENTS = [
    events.Upgraded(expires_in=60.0),
    wire.Hello(),
    Attached(SESSION, "epoch", 0, recovered=False, after=0),
    DeliverEvents([_record(1)], replay=False),
    ShowTyping(THREAD, "analyst"),
    ReportRefused("never sent"),
    wire.Ack(1),
    wire.Displayed((1,)),
    wire.Confirm(1),
    wire.Typing(THREAD),
    wire.Say("1", "hello"),
    wire.CancelRun("2", RUN),
    wire.HistoryRequest("3", 10),
    wire.Refresh("4", "token"),
    wire.AnswerRequest("6", ASK, "yes"),
    wire.ThreadsRequest("7", 10),
    wire.ChangeThread("8", THREAD, archived=True),
    wire.EraseRequest("9", THREAD),
    wire.FileUpload("10", "cat", 0, 3, b"cat"),
    wire.DiscardFile("11", "cat"),
    ThreadErased(THREAD),
    events.RequestDone("6", {"offset": 2}),
    events.RequestRefused("1", CloseCode.SERVER_ERROR, "the server failed"),
    events.RunBegan("1", RunStarted(RUN, THREAD)),
    events.RunCancelled("2", RUN),
    events.HistoryRead("3", Page([_record(1)], more=False), more=False),
    events.TokenRefreshed("4", ALICE, 60.0, None),
    events.TokenRefreshed("4", UserId("eve"), 60.0, None),
    events.FrameRefused(CloseCode.PROTOCOL_ERROR, "not JSON", None, fatal=True),
    events.FrameRefused(CloseCode.PROTOCOL_ERROR, "no field", "5", fatal=False),
    events.Overstepped(CloseCode.RATE_LIMIT),
    events.GaveUp(talks=True),
    events.TokenLeft(30.0),
    events.TokenChecked(Verdict.GOOD),
    events.TokenChecked(Verdict.REVOKED),
    events.Draining(500, 2000),
]


def deliver_at_once(
    link: ConnectionData, news: DeliverEvents
) -> Step[Phase, ConnectionData, events.ConnectionCommand]:
    """What the real one leaves to the `EventSender`, which only *ready* has."""
    frame = wire.events(link.user, "epoch", news.records, replay=news.replay)
    return stay(link, events.SendEvents(frame, news.records[-1].offset))


UNGUARDED: Machine[Phase, ConnectionData, events.ConnectionCommand] = Machine(
    name="unguarded connection",
    states=Phase,
    initial=CONNECTION.initial,
    final=CONNECTION.final,
    transitions=[
        *(row for row in CONNECTION.transitions if row.event is not DeliverEvents),
        On({Phase.AUTHENTICATED, Phase.READY}, DeliverEvents, deliver_at_once),
    ],
    timers=CONNECTION.timers,
)


def events_only_when_ready(taken: Taken) -> None:
    """No event leaves before its time (R22)."""
    sends = any(isinstance(command, events.SendEvents) for command in taken.commands)
    assert not sends or taken.state is Phase.READY, f"events sent in {taken.state.name}"


if __name__ == "__main__":
    print(explore(UNGUARDED, LINK, events=EVENTS, depth=3, checks=[events_only_when_ready]))
