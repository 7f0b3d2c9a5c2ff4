"""The head of a request from an ASGI scope (pure).

Behind a proxy the peer is the proxy. Of a listed peer, `X-Forwarded-For` says who asks (the last
address in it that is no listed one), and `X-Forwarded-Host` what for; of any other, they are just
headers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TypeAlias, cast
from urllib.parse import quote

import attrs

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.transport.http.request_head import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    TOO_LARGE,
    BadRequest,
    RequestHead,
)

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers: TypeAlias = tuple[tuple[str, str], ...]
OFFERED = "sec-websocket-protocol"
SAFE = "/!$&'()*+,;=:@~-._"


class BadProxy(GreenroomError):
    """An entry of `proxies` is no address and no network."""

    fault = Fault.OPERATOR


class Proxies:
    """The peers whose forwarded headers count. Raises `BadProxy`."""

    def __init__(self, listed: Iterable[str] = ()) -> None:
        self._networks = tuple(_network(each) for each in listed)

    def seen_through(self, head: RequestHead) -> RequestHead:
        """The head as the first proxy got it, if the peer is one of ours."""
        if not self._has(head.peer):
            return head
        hops = head.listed("x-forwarded-for")
        strangers = [hop for hop in hops if not self._has(hop)]
        peer = next(iter(reversed(strangers)), hops[0] if hops else head.peer)
        hosts = head.listed("x-forwarded-host")
        return attrs.evolve(head, peer=peer, headers=_with_host(head, hosts[-1:]))

    def _has(self, address: str | None) -> bool:
        try:
            parsed = ipaddress.ip_address((address or "").partition("%")[0])
        except ValueError:
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self._networks)


def head_of(scope: Mapping[str, object]) -> RequestHead:
    """The head of a request or an upgrade, its path below where the app is mounted.

    Raises `BadRequest` (431) for one that the server of greenroom would not read either.
    """
    raw = cast("Iterable[tuple[bytes, bytes]]", scope.get("headers") or ())
    headers = tuple((name.decode("latin-1").lower(), text.decode("latin-1")) for name, text in raw)
    headers = _with_subprotocols(headers, scope)
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    if len(headers) > MAX_HEADERS:
        raise BadRequest(f"The request has more than {MAX_HEADERS} headers.", status=431)
    if size > MAX_HEAD_BYTES:
        raise BadRequest(TOO_LARGE, status=431)
    client = cast("tuple[str, int] | None", scope.get("client"))
    return RequestHead(
        method=cast(str, scope.get("method", "GET")),
        path=path_of(scope),
        http_version=cast(str, scope.get("http_version", "1.1")),
        query=cast(bytes, scope.get("query_string", b"")).decode("latin-1"),
        headers=headers,
        peer=client[0] if client else None,
        size=size,
    )


def path_of(scope: Mapping[str, object]) -> str:
    """The path without the prefix of the mount, percent-encoded as it came where that is known."""
    root = quote(cast(str, scope.get("root_path") or ""), safe=SAFE)
    raw = cast("bytes | None", scope.get("raw_path"))
    path = raw.decode("latin-1") if raw else quote(cast(str, scope["path"]), safe=SAFE)
    path = path.partition("?")[0]
    if root and (path == root or path.startswith(root.rstrip("/") + "/")):
        path = path[len(root.rstrip("/")) :]
    return path or "/"


def _with_subprotocols(headers: Headers, scope: Mapping[str, object]) -> Headers:
    """What an upgrade offers, as a header. uvicorn on wsproto takes that header out and leaves what
    it said in the scope, where ASGI promises it; on websockets both are there."""
    offered = cast("Iterable[str]", scope.get("subprotocols") or ())
    others = tuple(pair for pair in headers if pair[0] != OFFERED)
    return (*others, (OFFERED, ", ".join(offered))) if offered else headers


def _with_host(head: RequestHead, hosts: list[str]) -> Headers:
    if not hosts:
        return head.headers
    others = tuple(pair for pair in head.headers if pair[0] != "host")
    return (*others, ("host", hosts[0]))


def _network(listed: str) -> Network:
    try:
        return ipaddress.ip_network(listed, strict=False)
    except ValueError:
        raise BadProxy(
            f"{listed!r} is no address of a proxy",
            advice="list addresses or networks, such as 127.0.0.1 or 10.0.0.0/8",
        ) from None
