"""How a connection ends, and the error frames that say why (pure)."""

from __future__ import annotations

from greenroom.actors.machine.step import go
from greenroom.transport.connection.machine.data import (
    ConnectionData,
    ConnectionStep,
    Phase,
    evolve,
)
from greenroom.transport.connection.machine.events import (
    Close,
    Disconnected,
    Draining,
    Overstepped,
    Send,
    SocketGone,
)
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode

QUICKLY, SLOWLY = (0, 500), (500, 2000)
"""When to reconnect: ms to wait, and the most ms of jitter to add."""


def close(data: ConnectionData, code: CloseCode, reason: str | None = None) -> ConnectionStep:
    """Say `closing`, with a time to reconnect if the code allows one, and close."""
    reconnect = QUICKLY if code is not CloseCode.TOO_SLOW else SLOWLY
    return go(
        Phase.CLOSED,
        evolve(data, sender=None),
        Close(code, reason, reconnect if code.meaning.reconnect else None),
    )


def overstepped(data: ConnectionData, event: Overstepped) -> ConnectionStep:
    return close(data, event.code, event.message)


def draining(data: ConnectionData, draining: Draining) -> ConnectionStep:
    end = Close(CloseCode.GOING_AWAY, None, (draining.after_ms, draining.jitter_ms))
    return go(Phase.CLOSED, evolve(data, sender=None), end)


def disconnected(data: ConnectionData, event: Disconnected) -> ConnectionStep:
    end = Close(CloseCode.DISCONNECTED, event.reason, event.reconnect)
    return go(Phase.CLOSED, evolve(data, sender=None), end)


def socket_gone(data: ConnectionData, _: SocketGone) -> ConnectionStep:
    return go(Phase.CLOSED, evolve(data, sender=None))


def protocol_error(data: ConnectionData, message: str) -> ConnectionStep:
    """Say what is wrong with a frame in an `error`, and close."""
    closed = close(data, CloseCode.PROTOCOL_ERROR, message)
    said = error_frame(CloseCode.PROTOCOL_ERROR, message)
    return closed._replace(commands=(said, *closed.commands))


def error_frame(code: CloseCode, message: str) -> Send:
    """The `error` for a frame without an `id`, which no `reply` can answer."""
    return Send(wire.error(code, message, temporary=code.meaning.temporary))
