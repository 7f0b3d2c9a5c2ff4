"""Tickets for browsers: a cookie in place of a token, for a short time.

An `EventSource` sends no header of its own. A page shows its token once, by POST, and gets a cookie
that no script can read. What it proves is kept here, so it ends with the process.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

import attrs

from greenroom.transport.auth.tokens import Identity
from greenroom.transport.http.request_head import RequestHead

COOKIE = "greenroom_live"
TICKET_SECONDS = 600.0
MOST_TICKETS = 10_000


@attrs.frozen
class _Ticket:
    identity: Identity
    ends_at: float


class Tickets:
    """The tickets of one server. `clock` gives seconds since the Unix epoch. Past `most` the oldest
    one is taken back."""

    def __init__(self, clock: Callable[[], float], most: int = MOST_TICKETS) -> None:
        self._clock = clock
        self._most = most
        self._tickets: OrderedDict[str, _Ticket] = OrderedDict()

    def issue(self, identity: Identity) -> tuple[str, float]:
        """A new ticket, and how many seconds it is good for: no longer than the token was."""
        now = self._clock()
        ends_at = now + TICKET_SECONDS
        if identity.expires_at is not None:
            ends_at = min(ends_at, identity.expires_at)
        while len(self._tickets) >= self._most:
            self._tickets.popitem(last=False)
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = _Ticket(identity, ends_at)
        return ticket, ends_at - now

    def identity(self, ticket: str) -> Identity | None:
        """Whose it is; None for one that has ended, or that is not known."""
        found = self._tickets.get(ticket)
        if found is None:
            return None
        if self._clock() >= found.ends_at:
            del self._tickets[ticket]
            return None
        return found.identity


def ticket_of(head: RequestHead) -> str | None:
    """The ticket that a request brings, if it brings no token."""
    if head.all("authorization"):
        return None
    try:
        cookies = SimpleCookie("; ".join(head.all("cookie")))
    except CookieError:
        return None
    found = cookies.get(COOKIE)
    return None if found is None else found.value


def cookie_for(ticket: str, seconds: float, *, secure: bool) -> str:
    """The header `Set-Cookie`. Without a path it is for the paths beside the one asked for,
    wherever an app is mounted (RFC 6265 §5.1.4)."""
    parts = [f"{COOKIE}={ticket}", f"Max-Age={int(seconds)}"]
    return "; ".join([*parts, "HttpOnly", "SameSite=Strict", *(["Secure"] if secure else [])])
