"""A connection's machine: accepting → authenticated → ready → closed (pure).

Only entering *ready* makes the `EventSender`, and only an `EventSender` makes `events` frames; so
no event can leave before then, and no event of another user at all (docs/protocol.md, "Opening").
"""

from __future__ import annotations

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import StartTimer, StateTimeout, go, stay
from greenroom.actors.machine.table import On
from greenroom.delivery.user.messages import (
    Acked,
    Attached,
    ConfirmedThere,
    DeliverEvents,
    DisplayedThere,
    FellBehind,
    ReadFailed,
    ReportRefused,
    SessionTaken,
    ShowTyping,
    ThreadErased,
    UserTyping,
)
from greenroom.transport.connection.machine.data import (
    ConnectionData,
    ConnectionStep,
    EventSender,
    Phase,
    evolve,
)
from greenroom.transport.connection.machine.ending import (
    close,
    disconnected,
    draining,
    error_frame,
    overstepped,
    protocol_error,
    socket_gone,
)
from greenroom.transport.connection.machine.events import (
    AskAboutToken,
    AttachTo,
    Carry,
    ConnectionCommand,
    Disconnected,
    Draining,
    FrameRefused,
    GapSeen,
    GaveUp,
    Heard,
    HeartbeatDue,
    HelloLate,
    HistoryRead,
    Overstepped,
    Ping,
    PongDue,
    RequestDone,
    RequestRefused,
    RunBegan,
    RunCancelled,
    Send,
    SendEvents,
    SocketGone,
    Tell,
    TokenChecked,
    TokenDue,
    TokenLeft,
    TokenRefreshed,
    Upgraded,
)
from greenroom.transport.connection.machine.token_life import (
    token_check,
    token_checked,
    token_due,
    token_left,
    token_refreshed,
    token_timer,
    with_token,
)
from greenroom.transport.protocol import frame_codec, wire
from greenroom.transport.protocol.close_codes import CloseCode

# Opening


def _upgraded(data: ConnectionData, event: Upgraded) -> ConnectionStep:
    data = with_token(data, event.expires_in, event.expires_ms)
    late = StateTimeout(data.times.hello, HelloLate())
    return go(Phase.AUTHENTICATED, data, late, *token_timer(data, event.expires_in))


def _hello(data: ConnectionData, hello: wire.Hello) -> ConnectionStep:
    if data.greeted:
        return _second_hello(data, hello)
    features = tuple(each for each in wire.FEATURES if each in hello.features)
    return stay(evolve(data, greeted=True, features=features), AttachTo(hello))


def _second_hello(data: ConnectionData, _: wire.Hello) -> ConnectionStep:
    return protocol_error(data, "`hello` must come once, as the first frame")


def _too_early(data: ConnectionData, frame: wire.ClientFrame) -> ConnectionStep:
    if data.greeted:
        return protocol_error(
            data, f"`{frame_codec.type_of(frame)}` must come after `ready`: wait for it"
        )
    return protocol_error(
        data,
        f"`{frame_codec.type_of(frame)}` must come after `hello`, which must be the first frame",
    )


def _hello_late(data: ConnectionData, _: HelloLate) -> ConnectionStep:
    return close(data, CloseCode.HELLO_TOO_LATE)


def _attached(data: ConnectionData, event: Attached) -> ConnectionStep:
    sender = EventSender(data.user, event.epoch)
    ready = wire.ready(
        session=event.session,
        connection=data.connection,
        user=data.user,
        epoch=event.epoch,
        offset=event.offset,
        after=event.after,
        event=event.event,
        recovered=event.recovered,
        heartbeat_ms=round(data.times.heartbeat * 1000),
        expires_ms=data.expires_ms,
        limits=data.limits,
        features=data.features,
        asks=event.asks,
        files=data.files,
    )
    return go(
        Phase.READY,
        evolve(data, sender=sender, session=event.session),
        Send(ready),
        StartTimer("heartbeat", data.times.heartbeat, HeartbeatDue()),
    )


# Events to the client


def _deliver(data: ConnectionData, news: DeliverEvents) -> ConnectionStep:
    assert data.sender is not None, "ready has a sender"
    frame = data.sender.frame(news.records, replay=news.replay)
    return stay(data, SendEvents(frame, news.records[-1].offset))


def _show_typing(data: ConnectionData, news: ShowTyping) -> ConnectionStep:
    return stay(data, Send(wire.typing(news.thread, news.sender), is_volatile=True))


def _report_refused(data: ConnectionData, news: ReportRefused) -> ConnectionStep:
    return stay(data, error_frame(CloseCode.PROTOCOL_ERROR, news.message))


def _fell_behind(data: ConnectionData, _: FellBehind) -> ConnectionStep:
    return close(data, CloseCode.TOO_SLOW)


def _read_failed(data: ConnectionData, _: ReadFailed) -> ConnectionStep:
    return close(data, CloseCode.SERVER_ERROR)


def _gap_seen(data: ConnectionData, _: GapSeen) -> ConnectionStep:
    return close(data, CloseCode.POSITION_LOST)


def _gave_up(data: ConnectionData, event: GaveUp) -> ConnectionStep:
    code = CloseCode.TOO_SLOW if event.talks else CloseCode.HEARTBEAT_MISSED
    return close(data, code, "events were not acknowledged")


def _session_taken(data: ConnectionData, _: SessionTaken) -> ConnectionStep:
    return close(data, CloseCode.SESSION_SUPERSEDED)


# What the client says


def _ack(data: ConnectionData, frame: wire.Ack) -> ConnectionStep:
    return stay(data, Tell(Acked(data.connection, frame.offset)))


def _displayed(data: ConnectionData, frame: wire.Displayed) -> ConnectionStep:
    return stay(data, Tell(DisplayedThere(data.connection, frame.offsets)))


def _confirm(data: ConnectionData, frame: wire.Confirm) -> ConnectionStep:
    return stay(
        data, Tell(ConfirmedThere(data.connection, frame.offset, frame.verdict, frame.note))
    )


def _typing(data: ConnectionData, frame: wire.Typing) -> ConnectionStep:
    return stay(data, Tell(UserTyping(data.connection, frame.thread)))


def _request(data: ConnectionData, frame: wire.ClientRequest) -> ConnectionStep:
    return stay(data, Carry(frame))


def _pong(data: ConnectionData, _: wire.Pong) -> ConnectionStep:
    return stay(data)


def _frame_refused(data: ConnectionData, event: FrameRefused) -> ConnectionStep:
    if event.fatal:
        return protocol_error(data, event.message)
    if event.id is not None:
        refusal = wire.reply_error(event.id, event.code, event.message, temporary=False)
        return stay(data, Send(refusal))
    return stay(data, error_frame(event.code, event.message))


# Answers to requests


def _request_failed(data: ConnectionData, event: RequestRefused) -> ConnectionStep:
    code, message = event.code, event.message
    return stay(data, Send(wire.reply_error(event.id, code, message, temporary=event.temporary)))


def _run_began(data: ConnectionData, event: RunBegan) -> ConnectionStep:
    started = event.started
    return stay(data, Send(wire.reply_ok(event.id, run=started.run, thread=started.thread)))


def _run_cancelled(data: ConnectionData, event: RunCancelled) -> ConnectionStep:
    return stay(data, Send(wire.reply_ok(event.id, run=event.run)))


def _request_done(data: ConnectionData, event: RequestDone) -> ConnectionStep:
    return stay(data, Send(wire.reply_ok(event.id, **event.result)))


def _thread_erased(data: ConnectionData, event: ThreadErased) -> ConnectionStep:
    if wire.THREADS not in data.features:
        return stay(data)
    return stay(data, Send(wire.erased(event.thread)))


def _history_read(data: ConnectionData, event: HistoryRead) -> ConnectionStep:
    assert data.sender is not None, "ready has a sender"
    return stay(data, Send(data.sender.history(event.id, event.page, more=event.more)))


# Time


def _heartbeat_due(data: ConnectionData, _: HeartbeatDue) -> ConnectionStep:
    beat = data.times.heartbeat
    return stay(
        evolve(data, heard=False),
        Ping(wire.POSITION in data.features),
        StartTimer("pong", beat / 2, PongDue()),
        StartTimer("heartbeat", beat, HeartbeatDue()),
        *token_check(data),
        AskAboutToken(),
    )


def _heard(data: ConnectionData, _: Heard) -> ConnectionStep:
    return stay(evolve(data, heard=True))


def _pong_due(data: ConnectionData, _: PongDue) -> ConnectionStep:
    return stay(data) if data.heard else close(data, CloseCode.HEARTBEAT_MISSED)


ACCEPTING, AUTHENTICATED, READY, CLOSED = Phase
_LISTENING = {AUTHENTICATED, READY}

CONNECTION: Machine[Phase, ConnectionData, ConnectionCommand] = Machine(
    name="connection",
    states=Phase,
    initial=ACCEPTING,
    final={CLOSED},
    transitions=[
        On(ACCEPTING, Upgraded, _upgraded, to={AUTHENTICATED}),
        On(AUTHENTICATED, wire.Hello, _hello, to={CLOSED}),
        On(AUTHENTICATED, HelloLate, _hello_late, to={CLOSED}),
        On(AUTHENTICATED, Attached, _attached, to={READY}),
        *(
            On(AUTHENTICATED, early, _too_early, to={CLOSED})
            for early in frame_codec.FRAMES
            if early not in (wire.Hello, wire.Pong)
        ),
        On(READY, DeliverEvents, _deliver),
        On(READY, ShowTyping, _show_typing),
        On(READY, ReportRefused, _report_refused),
        On(READY, FellBehind, _fell_behind, to={CLOSED}),
        On(READY, ReadFailed, _read_failed, to={CLOSED}),
        On(READY, GapSeen, _gap_seen, to={CLOSED}),
        On(READY, GaveUp, _gave_up, to={CLOSED}),
        On(READY, SessionTaken, _session_taken, to={CLOSED}),
        On(READY, wire.Hello, _second_hello, to={CLOSED}),
        On(READY, wire.Ack, _ack),
        On(READY, wire.Displayed, _displayed),
        On(READY, wire.Confirm, _confirm),
        On(READY, wire.Typing, _typing),
        On(READY, wire.Say, _request),
        On(READY, wire.FileUpload, _request),
        On(READY, wire.DiscardFile, _request),
        On(READY, wire.CancelRun, _request),
        On(READY, wire.HistoryRequest, _request),
        On(READY, wire.AnswerRequest, _request),
        On(READY, wire.ThreadsRequest, _request),
        On(READY, wire.ChangeThread, _request),
        On(READY, wire.EraseRequest, _request),
        On(READY, wire.Refresh, _request),
        On(READY, RequestRefused, _request_failed),
        On(READY, RunBegan, _run_began),
        On(READY, RunCancelled, _run_cancelled),
        On(READY, HistoryRead, _history_read),
        On(READY, RequestDone, _request_done),
        On(READY, ThreadErased, _thread_erased),
        On(READY, TokenRefreshed, token_refreshed, to={CLOSED}),
        On(READY, TokenChecked, token_checked, to={CLOSED}),
        On(READY, HeartbeatDue, _heartbeat_due),
        On(READY, PongDue, _pong_due, to={CLOSED}),
        On(_LISTENING, wire.Pong, _pong),
        On(_LISTENING, Heard, _heard),
        On(_LISTENING, FrameRefused, _frame_refused, to={CLOSED}),
        On(_LISTENING, TokenDue, token_due),
        On(_LISTENING, TokenLeft, token_left, to={CLOSED}),
        On(_LISTENING, Overstepped, overstepped, to={CLOSED}),
        On(_LISTENING, Draining, draining, to={CLOSED}),
        On(_LISTENING, Disconnected, disconnected, to={CLOSED}),
        On({ACCEPTING, *_LISTENING}, SocketGone, socket_gone, to={CLOSED}),
    ],
    timers={
        HelloLate: AUTHENTICATED,
        HeartbeatDue: READY,
        PongDue: READY,
        TokenDue: _LISTENING,
    },
)
