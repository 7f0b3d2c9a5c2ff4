"""The token's life: when it expires, whether it is still good, what a new one changes (pure)."""

from __future__ import annotations

from greenroom.actors.machine.step import CancelTimer, StartTimer, stay
from greenroom.delivery.events.kinds import JSON
from greenroom.transport.auth.verdict import Verdict
from greenroom.transport.connection.machine.data import ConnectionData, ConnectionStep, evolve
from greenroom.transport.connection.machine.ending import close
from greenroom.transport.connection.machine.events import (
    CheckToken,
    Send,
    TokenChecked,
    TokenDue,
    TokenLeft,
    TokenRefreshed,
)
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode

MOST_UNCHECKED = 3
"""Checks in a row without an answer after which a connection ends."""


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


def token_checked(data: ConnectionData, event: TokenChecked) -> ConnectionStep:
    """A token that cannot be checked is believed for a while, and no longer. At the door, to which
    the client comes back, it must be proven."""
    if event.verdict is Verdict.REVOKED:
        return close(data, CloseCode.DISCONNECTED, "the token is no longer valid")
    unchecked = data.unchecked + 1 if event.verdict is Verdict.UNKNOWN else 0
    if unchecked >= MOST_UNCHECKED:
        return close(data, CloseCode.SERVER_ERROR, "the server cannot check tokens now")
    return stay(evolve(data, unchecked=unchecked))


def with_token(
    data: ConnectionData, expires_in: float | None, expires_ms: int | None
) -> ConnectionData:
    """The connection closes `before_expiry`, or earlier by a tenth of a short token's time."""
    early = 0.0 if expires_in is None else min(data.times.before_expiry, expires_in / 10)
    return evolve(data, expires_ms=expires_ms, early=early, unchecked=0)


def token_timer(data: ConnectionData, expires_in: float | None) -> tuple[StartTimer, ...]:
    if expires_in is None:
        return ()
    return (StartTimer("token", max(0.0, expires_in - data.early), TokenDue()),)
