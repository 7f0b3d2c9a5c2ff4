"""A connection's machine: accepting → authenticated → ready → closed (pure).

Only entering *ready* makes the `EventSender`, and only an `EventSender` makes `events` frames; so
no event can leave before its time, and none that is not this user's (PROTOCOL.md, "Opening").
Longer than most files: a machine is one table, and its handlers are read beside it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TypeAlias

import attrs

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import CancelTimer, StartTimer, StateTimeout, Step, go, stay
from greenroom.actors.machine.table import On
from greenroom.delivery.events.ids import ConnectionId, SessionId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.record import Page, Record
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
    UserTyping,
)
from greenroom.transport.connection.events import (
    AttachTo,
    Carry,
    CheckToken,
    Close,
    Command,
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
    RequestFailed,
    RunBegan,
    RunCancelled,
    Send,
    SendEvents,
    SocketGone,
    Tell,
    TokenDue,
    TokenLeft,
    TokenRefreshed,
    Upgraded,
)
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.frame_limits import FrameLimits


class Phase(enum.Enum):
    """PROTOCOL.md's four phases."""

    ACCEPTING = "accepting"
    AUTHENTICATED = "authenticated"
    READY = "ready"
    CLOSED = "closed"


@attrs.frozen
class EventSender:
    """The right to send events: one user's, on one journal. Made by entering *ready* alone."""

    user: UserId
    epoch: str

    def frame(self, records: Sequence[Record], *, replay: bool) -> bytes:
        """An `events` frame. Raises `IsolationViolation` for a record of anyone else."""
        return wire.events(self.user, self.epoch, records, replay=replay)

    def history(self, id: str, page: Page, *, more: bool) -> bytes:  # noqa: A002  # wire's word
        """A page of history. Raises `IsolationViolation` for a record of anyone else."""
        return wire.reply_history(id, self.user, page.records, more=more)


@attrs.frozen
class Times:
    """Seconds. A client that answers no ping for half a heartbeat is gone."""

    hello: float = 10.0
    heartbeat: float = 25.0
    before_expiry: float = 5.0


@attrs.frozen
class Link:
    """What a connection knows. `sender` is None until it is ready.

    `early`: how many seconds before its token expires it closes. `features`: what beyond the first
    greenroom.v1 both sides know.
    """

    connection: ConnectionId
    user: UserId
    times: Times
    limits: FrameLimits = attrs.field(factory=FrameLimits)
    expires_ms: int | None = None
    early: float = 0.0
    greeted: bool = False
    features: tuple[str, ...] = ()
    heard: bool = True
    session: SessionId | None = None
    sender: EventSender | None = None


LinkStep: TypeAlias = Step[Phase, Link, Command]

QUICKLY, SLOWLY = (0, 500), (500, 2000)
"""When to reconnect: after so many ms, plus up to so many of jitter."""


def _close(link: Link, code: CloseCode, reason: str | None = None) -> LinkStep:
    reconnect = QUICKLY if code is not CloseCode.TOO_SLOW else SLOWLY
    return go(
        Phase.CLOSED,
        attrs.evolve(link, sender=None),
        Close(code, reason, reconnect if code.meaning.reconnect else None),
    )


# Opening


def _upgraded(link: Link, event: Upgraded) -> LinkStep:
    link = _with_token(link, event.expires_in, event.expires_ms)
    late = StateTimeout(link.times.hello, HelloLate())
    return go(Phase.AUTHENTICATED, link, late, *_token_timer(link, event.expires_in))


def _hello(link: Link, hello: wire.Hello) -> LinkStep:
    if link.greeted:
        return _second_hello(link, hello)
    features = tuple(each for each in wire.FEATURES if each in hello.features)
    return stay(attrs.evolve(link, greeted=True, features=features), AttachTo(hello))


def _second_hello(link: Link, _: wire.Hello) -> LinkStep:
    return _protocol_error(link, "hello comes once, first")


def _too_early(link: Link, frame: wire.ClientFrame) -> LinkStep:
    if link.greeted:
        return _protocol_error(link, f"{wire.type_of(frame)} came before ready")
    return _protocol_error(link, f"{wire.type_of(frame)} came before hello")


def _hello_late(link: Link, _: HelloLate) -> LinkStep:
    return _close(link, CloseCode.HELLO_TOO_LATE)


def _attached(link: Link, event: Attached) -> LinkStep:
    sender = EventSender(link.user, event.epoch)
    ready = wire.ready(
        session=event.session,
        connection=link.connection,
        user=link.user,
        epoch=event.epoch,
        offset=event.offset,
        after=event.after,
        event=event.event,
        recovered=event.recovered,
        heartbeat_ms=round(link.times.heartbeat * 1000),
        expires_ms=link.expires_ms,
        limits=link.limits,
        features=link.features,
    )
    return go(
        Phase.READY,
        attrs.evolve(link, sender=sender, session=event.session),
        Send(ready),
        StartTimer("heartbeat", link.times.heartbeat, HeartbeatDue()),
    )


# Events to the client


def _deliver(link: Link, news: DeliverEvents) -> LinkStep:
    assert link.sender is not None, "ready has a sender"
    frame = link.sender.frame(news.records, replay=news.replay)
    return stay(link, SendEvents(frame, news.records[-1].offset))


def _show_typing(link: Link, news: ShowTyping) -> LinkStep:
    return stay(link, Send(wire.typing(news.thread, news.sender)))


def _report_refused(link: Link, news: ReportRefused) -> LinkStep:
    return stay(link, _error(CloseCode.PROTOCOL_ERROR, news.message))


def _fell_behind(link: Link, _: FellBehind) -> LinkStep:
    return _close(link, CloseCode.TOO_SLOW)


def _read_failed(link: Link, _: ReadFailed) -> LinkStep:
    return _close(link, CloseCode.SERVER_ERROR)


def _gap_seen(link: Link, _: GapSeen) -> LinkStep:
    return _close(link, CloseCode.POSITION_LOST)


def _gave_up(link: Link, event: GaveUp) -> LinkStep:
    code = CloseCode.TOO_SLOW if event.talks else CloseCode.HEARTBEAT_MISSED
    return _close(link, code, "events were not acknowledged")


def _session_taken(link: Link, _: SessionTaken) -> LinkStep:
    return _close(link, CloseCode.SESSION_SUPERSEDED)


# What the client says


def _ack(link: Link, frame: wire.Ack) -> LinkStep:
    return stay(link, Tell(Acked(link.connection, frame.offset)))


def _displayed(link: Link, frame: wire.Displayed) -> LinkStep:
    return stay(link, Tell(DisplayedThere(link.connection, frame.offsets)))


def _confirm(link: Link, frame: wire.Confirm) -> LinkStep:
    return stay(
        link, Tell(ConfirmedThere(link.connection, frame.offset, frame.verdict, frame.note))
    )


def _typing(link: Link, frame: wire.Typing) -> LinkStep:
    return stay(link, Tell(UserTyping(link.connection, frame.thread)))


def _request(
    link: Link, frame: wire.Say | wire.CancelRun | wire.HistoryRequest | wire.Refresh
) -> LinkStep:
    return stay(link, Carry(frame))


def _pong(link: Link, _: wire.Pong) -> LinkStep:
    return stay(link)


def _frame_refused(link: Link, event: FrameRefused) -> LinkStep:
    if event.fatal:
        return _protocol_error(link, event.message)
    if event.id is not None:
        refusal = wire.reply_error(event.id, event.code, event.message, temporary=False)
        return stay(link, Send(refusal))
    return stay(link, _error(event.code, event.message))


# Answers to requests


def _request_failed(link: Link, event: RequestFailed) -> LinkStep:
    code, message = event.code, event.message
    return stay(link, Send(wire.reply_error(event.id, code, message, temporary=event.temporary)))


def _run_began(link: Link, event: RunBegan) -> LinkStep:
    started = event.started
    return stay(link, Send(wire.reply_ok(event.id, run=started.run, thread=started.thread)))


def _run_cancelled(link: Link, event: RunCancelled) -> LinkStep:
    return stay(link, Send(wire.reply_ok(event.id, run=event.run)))


def _history_read(link: Link, event: HistoryRead) -> LinkStep:
    assert link.sender is not None, "ready has a sender"
    return stay(link, Send(link.sender.history(event.id, event.page, more=event.more)))


def _token_refreshed(link: Link, event: TokenRefreshed) -> LinkStep:
    if event.user != link.user:
        return _close(link, CloseCode.IDENTITY_CHANGED)
    expires: dict[str, JSON] = {} if event.expires_ms is None else {"expires": event.expires_ms}
    link = _with_token(link, event.expires_in, event.expires_ms)
    return stay(
        link,
        Send(wire.reply_ok(event.id, **expires)),
        CancelTimer("token"),
        *_token_timer(link, event.expires_in),
    )


# Time


def _heartbeat_due(link: Link, _: HeartbeatDue) -> LinkStep:
    beat = link.times.heartbeat
    return stay(
        attrs.evolve(link, heard=False),
        Ping(wire.POSITION in link.features),
        StartTimer("pong", beat / 2, PongDue()),
        StartTimer("heartbeat", beat, HeartbeatDue()),
        *_token_check(link),
    )


def _heard(link: Link, _: Heard) -> LinkStep:
    return stay(attrs.evolve(link, heard=True))


def _pong_due(link: Link, _: PongDue) -> LinkStep:
    return stay(link) if link.heard else _close(link, CloseCode.HEARTBEAT_MISSED)


def _token_due(link: Link, _: TokenDue) -> LinkStep:
    return stay(link, *_token_check(link))


def _token_left(link: Link, event: TokenLeft) -> LinkStep:
    """The wall clock has the last word on a token, since that may have been set meanwhile."""
    if event.seconds <= link.early:
        return _close(link, CloseCode.TOKEN_EXPIRING)
    return stay(link, *_token_timer(link, event.seconds))


def _token_check(link: Link) -> tuple[CheckToken, ...]:
    return () if link.expires_ms is None else (CheckToken(link.expires_ms),)


def _with_token(link: Link, expires_in: float | None, expires_ms: int | None) -> Link:
    """It closes `before_expiry`, or a tenth of what a short token has left before."""
    early = 0.0 if expires_in is None else min(link.times.before_expiry, expires_in / 10)
    return attrs.evolve(link, expires_ms=expires_ms, early=early)


def _token_timer(link: Link, expires_in: float | None) -> tuple[StartTimer, ...]:
    if expires_in is None:
        return ()
    return (StartTimer("token", max(0.0, expires_in - link.early), TokenDue()),)


# Ends


def _overstepped(link: Link, event: Overstepped) -> LinkStep:
    return _close(link, event.code, event.message)


def _draining(link: Link, draining: Draining) -> LinkStep:
    end = Close(CloseCode.GOING_AWAY, None, (draining.after_ms, draining.jitter_ms))
    return go(Phase.CLOSED, attrs.evolve(link, sender=None), end)


def _socket_gone(link: Link, _: SocketGone) -> LinkStep:
    return go(Phase.CLOSED, attrs.evolve(link, sender=None))


def _protocol_error(link: Link, message: str) -> LinkStep:
    closed = _close(link, CloseCode.PROTOCOL_ERROR, message)
    said = _error(CloseCode.PROTOCOL_ERROR, message)
    return closed._replace(commands=(said, *closed.commands))


def _error(code: CloseCode, message: str) -> Send:
    return Send(wire.error(code, message, temporary=code.meaning.temporary))


ACCEPTING, AUTHENTICATED, READY, CLOSED = Phase
_LISTENING = {AUTHENTICATED, READY}

CONNECTION: Machine[Phase, Link, Command] = Machine(
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
            for early in wire.FRAMES
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
        On(READY, wire.CancelRun, _request),
        On(READY, wire.HistoryRequest, _request),
        On(READY, wire.Refresh, _request),
        On(READY, RequestFailed, _request_failed),
        On(READY, RunBegan, _run_began),
        On(READY, RunCancelled, _run_cancelled),
        On(READY, HistoryRead, _history_read),
        On(READY, TokenRefreshed, _token_refreshed, to={CLOSED}),
        On(READY, HeartbeatDue, _heartbeat_due),
        On(READY, PongDue, _pong_due, to={CLOSED}),
        On(_LISTENING, wire.Pong, _pong),
        On(_LISTENING, Heard, _heard),
        On(_LISTENING, FrameRefused, _frame_refused, to={CLOSED}),
        On(_LISTENING, TokenDue, _token_due),
        On(_LISTENING, TokenLeft, _token_left, to={CLOSED}),
        On(_LISTENING, Overstepped, _overstepped, to={CLOSED}),
        On(_LISTENING, Draining, _draining, to={CLOSED}),
        On({ACCEPTING, *_LISTENING}, SocketGone, _socket_gone, to={CLOSED}),
    ],
    timers={
        HelloLate: AUTHENTICATED,
        HeartbeatDue: READY,
        PongDue: READY,
        TokenDue: _LISTENING,
    },
)
