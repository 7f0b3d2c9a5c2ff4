"""Visitors of the admin and metrics endpoints: their token and the address they come from.

A loopback peer proves little: a proxy on this machine is one for the whole world, and so is a
browser whose page has renamed itself to 127.0.0.1 (DNS rebinding). So nothing is shown to a peer
because of its address alone.
"""

from __future__ import annotations

import enum
import hmac
import ipaddress

import attrs

from greenroom.transport.auth.keys import BadToken
from greenroom.transport.auth.tokens import extract_token
from greenroom.transport.http.request_head import BadRequest, RequestHead

PROXY_HEADERS = frozenset(
    {"via", "forwarded", "cdn-loop", "x-real-ip", "x-client-ip", "x-cluster-client-ip"}
    | {"true-client-ip", "cf-connecting-ip", "fastly-client-ip", "x-envoy-external-address"}
    | {"x-original-host", "x-original-url", "x-original-forwarded-for", "x-proxyuser-ip"}
)


class Role(enum.StrEnum):
    """What a visitor may do: look, or act as well."""

    LOOK = "look"
    ACT = "act"


@attrs.frozen
class VisitorTokens:
    """The tokens of the settings: `act` is `admin_token`, `look` is `look_token`."""

    act: str | None = attrs.field(repr=False)
    look: str | None = attrs.field(default=None, repr=False)

    def role_of(self, token: str) -> Role | None:
        """The role of who has this token. It is compared with both, in constant time."""
        acts, looks = _is_same(token, self.act), _is_same(token, self.look)
        return Role.ACT if acts else Role.LOOK if looks else None


def check_visitor(head: RequestHead, tokens: VisitorTokens | None, *, anywhere: bool) -> Role:
    """The visitor's role. Raises `BadRequest` for a request of another machine (unless `anywhere`),
    or without one of `tokens`.

    Without `tokens` every request of this machine is admitted. Use that only for what an explicit
    setting opens.
    """
    check_place(head, anywhere=anywhere)
    role = Role.LOOK if tokens is None else tokens.role_of(_token_of(head))
    if role is None:
        raise BadRequest(
            "The admin token is needed: send the header `Authorization: Bearer TOKEN`.",
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )
    return role


def check_place(head: RequestHead, *, anywhere: bool) -> None:
    """Raise `BadRequest` for a request of another machine, unless `anywhere`."""
    if not (anywhere or is_of_this_machine(head)):
        raise BadRequest("Only this machine may look in.", status=403)


def is_of_this_machine(head: RequestHead) -> bool:
    """A loopback peer that asks a loopback host, and no sign of a proxy.

    A proxy that says nothing and rewrites `Host` (nginx, as it comes) looks the same.
    """
    return _is_loopback(head.peer) and _asks_loopback(head) and not _was_passed_on(head)


def _asks_loopback(head: RequestHead) -> bool:
    host = head.one("host") or ""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return is_loopback_host(name.removeprefix("[").removesuffix("]"))


def is_loopback_host(name: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    return name.lower() == "localhost" or _is_loopback(name)


def _was_passed_on(head: RequestHead) -> bool:
    names = (name for name, _ in head.headers)
    return any(name in PROXY_HEADERS or name.startswith("x-forwarded") for name in names)


def _is_loopback(address: str | None) -> bool:
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def _token_of(head: RequestHead) -> str:
    try:
        return extract_token(head) or ""
    except BadToken:
        return ""


def _is_same(token: str, other: str | None) -> bool:
    return other is not None and hmac.compare_digest(token.encode(), other.encode())
