"""The token's life: when it expires, and what a new one changes (pure)."""

from __future__ import annotations

import attrs

from greenroom.actors.machine.step import CancelTimer, StartTimer, stay
from greenroom.delivery.events.kinds import JSON
from greenroom.transport.connection.machine.data import ConnectionData, ConnectionStep
from greenroom.transport.connection.machine.ending import close
from greenroom.transport.connection.machine.events import (
    CheckToken,
    Send,
    TokenDue,
    TokenLeft,
    TokenRefreshed,
)
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode


def token_refreshed(data: ConnectionData, event: TokenRefreshed) -> ConnectionStep:
    if event.user != data.user:
        return close(data, CloseCode.IDENTITY_CHANGED)
    expires: dict[str, JSON] = {} if event.expires_ms is None else {"expires": event.expires_ms}
    data = with_token(data, event.expires_in, event.expires_ms)
    return stay(
        data,
        Send(wire.reply_ok(event.id, **expires)),
        CancelTimer("token"),
        *token_timer(data, event.expires_in),
    )


def token_due(data: ConnectionData, _: TokenDue) -> ConnectionStep:
    return stay(data, *token_check(data))


def token_left(data: ConnectionData, event: TokenLeft) -> ConnectionStep:
    """The wall clock decides about a token, since the clock may have been set meanwhile."""
    if event.seconds <= data.early:
        return close(data, CloseCode.TOKEN_EXPIRING)
    return stay(data, *token_timer(data, event.seconds))


def token_check(data: ConnectionData) -> tuple[CheckToken, ...]:
    return () if data.expires_ms is None else (CheckToken(data.expires_ms),)


def with_token(
    data: ConnectionData, expires_in: float | None, expires_ms: int | None
) -> ConnectionData:
    """The connection closes `before_expiry`, or earlier by a tenth of a short token's time."""
    early = 0.0 if expires_in is None else min(data.times.before_expiry, expires_in / 10)
    return attrs.evolve(data, expires_ms=expires_ms, early=early)


def token_timer(data: ConnectionData, expires_in: float | None) -> tuple[StartTimer, ...]:
    if expires_in is None:
        return ()
    return (StartTimer("token", max(0.0, expires_in - data.early), TokenDue()),)
