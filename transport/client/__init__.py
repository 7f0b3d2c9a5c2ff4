"""The reconnecting Python client: `client` is what programs use, `session` its pure core.

`line` keeps the session on a socket; `socket` and `handshake` open one; `causes` says what failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.transport.client.client import (
        Client,
        ClientClosed,
        HistoryPage,
        StartedRun,
        connect,
    )
    from greenroom.transport.client.client_error import ClientError
    from greenroom.transport.client.frames import BadMessage, Position, Ready, RequestFailed
    from greenroom.transport.client.handshake import CannotConnect, Refused
    from greenroom.transport.client.line import SessionClosed
    from greenroom.transport.client.socket import BadUrl
    from greenroom.transport.client.token import NoToken, TokenSource
else:
    from greenroom.actors.lazy_exports import exports_of

    __getattr__ = exports_of(
        __name__,
        {
            "client": "Client ClientClosed HistoryPage StartedRun connect",
            "client_error": "ClientError",
            "frames": "BadMessage Position Ready RequestFailed",
            "handshake": "CannotConnect Refused",
            "line": "SessionClosed",
            "socket": "BadUrl",
            "token": "NoToken TokenSource",
        },
    )

__all__ = [
    "BadMessage",
    "BadUrl",
    "CannotConnect",
    "Client",
    "ClientClosed",
    "ClientError",
    "HistoryPage",
    "NoToken",
    "Position",
    "Ready",
    "Refused",
    "RequestFailed",
    "SessionClosed",
    "StartedRun",
    "TokenSource",
    "connect",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
