"""What the request of an upgrade to greenroom.v1 must have (pure).

The checks go from the cheapest to the dearest and raise `BadRequest` with the status to answer.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.protocol.wire import SUBPROTOCOL

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@*\s]+")
_DEFAULT_PORT = {"http": "80", "https": "443"}


class BadOrigin(GreenroomError):
    """An entry of `allow_origins` is not an origin as browsers send it."""

    fault = Fault.OPERATOR


def check_handshake(head: RequestHead) -> None:
    """RFC 6455 §4.2.1, and the subprotocol."""
    if "websocket" not in _lowered(head, "upgrade") or "upgrade" not in _lowered(
        head, "connection"
    ):
        raise BadRequest(
            "This path speaks WebSocket only.",
            status=426,
            headers={"Upgrade": "websocket"},
        )
    if head.one("sec-websocket-version") != "13":
        raise BadRequest(
            "The Sec-WebSocket-Version must be 13.",
            status=426,
            headers={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
        )
    if head.http_version != "1.1":
        raise BadRequest("An upgrade needs HTTP/1.1.")
    if not _KEY.fullmatch(head.one("sec-websocket-key") or ""):
        raise BadRequest("Sec-WebSocket-Key must be 16 bytes in base64.")
    check_subprotocol(head)


def check_subprotocol(head: RequestHead) -> None:
    """Raises `BadRequest`."""
    if SUBPROTOCOL not in head.listed("sec-websocket-protocol"):
        raise BadRequest(f"The client must offer the subprotocol {SUBPROTOCOL}.")


def acceptance_of(head: RequestHead) -> bytes:
    """The answer that opens the WebSocket, to a request that was checked (RFC 6455 §4.2.2)."""
    key = (head.one("sec-websocket-key") or "").encode("ascii")
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {b64encode(sha1(key + _GUID).digest()).decode()}",
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


class Origins:
    """Which pages may connect.

    Pages of the host itself always may: `Origin` and `Host` name the same host and port, whatever
    the scheme, as TLS may end at a proxy. So may the origins of the list; `*` allows any page. A
    request without an `Origin` is not a browser's, so no page can have sent it. Raises `BadOrigin`
    for unusable entries.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(_checked_origin(origin) for origin in allowed)

    def check(self, head: RequestHead) -> None:
        """Raises `BadRequest` (403)."""
        origin = head.one("origin")
        if origin is None or "*" in self._allowed or origin.lower() in self._allowed:
            return
        if is_same_host(origin, head.one("host") or ""):
            return
        raise BadRequest(
            "Pages of this origin may not connect: list it in `allow_origins`, or have the proxy "
            "before this server pass the `Host` on.",
            status=403,
        )


def _lowered(head: RequestHead, name: str) -> list[str]:
    return [piece.lower() for piece in head.listed(name)]


def is_same_host(origin: str, host: str) -> bool:
    """Whether a page of this origin is of the host that a request asks."""
    scheme, separator, authority = origin.lower().partition("://")
    if not separator or scheme not in _DEFAULT_PORT or not authority:
        return False
    return authority == host.lower() or _without_port(scheme, host.lower()) == authority


def _without_port(scheme: str, host: str) -> str:
    """Browsers leave the default port out of `Origin`; a proxy may write it into `Host`."""
    return host.removesuffix(f":{_DEFAULT_PORT[scheme]}")


def _checked_origin(origin: str) -> str:
    """An origin as browsers write it (RFC 6454 §6.2), or the star."""
    if origin != "*" and not _ORIGIN.fullmatch(origin.lower()):
        raise BadOrigin(
            f"{origin!r} is not an origin", advice="write it like https://app.example, no path"
        )
    return origin.lower()
