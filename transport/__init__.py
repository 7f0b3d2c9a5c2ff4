"""Transport: the wire, the server with its front door and connections, and the Python client.

`protocol/` is pure and knows no socket; `door/` and `auth/` let a client in; `connection/` serves
it; `client/` is the other end. Imports go down to `delivery`, `supervisor` and `actors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.transport.auth.keys import BadKeyFile, BadToken
    from greenroom.transport.door.listeners import CannotListen, PortBusy
    from greenroom.transport.door.upgrade import BadOrigin
    from greenroom.transport.http.request_head import BadRequest
else:
    from greenroom.actors.lazy_exports import exports_of

    __getattr__ = exports_of(
        __name__,
        {
            "auth.keys": "BadKeyFile BadToken",
            "door.listeners": "CannotListen PortBusy",
            "door.upgrade": "BadOrigin",
            "http.request_head": "BadRequest",
        },
    )

__all__ = [
    "BadKeyFile",
    "BadOrigin",
    "BadRequest",
    "BadToken",
    "CannotListen",
    "PortBusy",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
