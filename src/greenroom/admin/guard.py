"""Who may do what below `/admin/`: by a token, or by the cookie of a session.

A browser sends the cookie with requests that other pages make, too. So a request that comes with
the cookie and changes something must repeat the session's secret in a header, which only the
observer's page knows, and its `Origin`, if it has one, must be this host's.
"""

from __future__ import annotations

import hmac
from typing import Final

import attrs

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.admin.sessions import VisitorSession, VisitorSessions
from greenroom.transport.door.upgrade import is_same_host
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.visitors import Role, VisitorTokens, check_place, check_visitor

COOKIE: Final = "greenroom_observer"
CSRF_HEADER: Final = "x-greenroom-csrf"
LOOKS: Final = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""


class LooksOnly(GreenroomError):
    """The visitor may look, and asks to change something."""

    fault = Fault.CALLER


@attrs.frozen
class Guard:
    """Unless `anywhere`, the peer must be on this machine and the request must not show a proxy."""

    tokens: VisitorTokens
    sessions: VisitorSessions = attrs.field(factory=VisitorSessions, repr=False)
    anywhere: bool = False

    def check(self, head: RequestHead) -> Role:
        """The visitor's role, which allows this request. Raises `BadRequest` and `LooksOnly`."""
        role = self._role_of(head)
        if role is not Role.ACT and head.method not in LOOKS:
            raise LooksOnly(
                "this token may look and change nothing", advice="use the server's `admin_token`"
            )
        return role

    def check_reader(self, head: RequestHead) -> None:
        """Raise `LooksOnly` for a visitor who may look, and may not read what users and agents
        say."""
        if self.check(head) is not Role.ACT:
            raise LooksOnly(
                "this token may look, and may not read the texts of users and agents",
                advice="use the server's `admin_token`",
            )

    def check_place(self, head: RequestHead) -> None:
        """Raise `BadRequest` for a request of another machine that is not admitted."""
        check_place(head, anywhere=self.anywhere)

    def check_token(self, head: RequestHead) -> Role:
        """The role of who brings a token. Raises `BadRequest`."""
        return check_visitor(head, self.tokens, anywhere=self.anywhere)

    def session_of(self, head: RequestHead) -> tuple[str, VisitorSession]:
        """The session of the request's cookie, and its key. Raises `BadRequest`."""
        self.check_place(head)
        for key in _cookies_of(head):
            if (session := self.sessions.find(key)) is not None:
                _check_forgery(head, session)
                return key, session
        raise BadRequest("There is no such session: sign in.", status=401)

    def end_session(self, head: RequestHead) -> None:
        """Forget the sessions of the request's cookies, if there are any."""
        for key in _cookies_of(head):
            self.sessions.end(key)

    def _role_of(self, head: RequestHead) -> Role:
        if head.all("authorization") or not _cookies_of(head):
            return self.check_token(head)
        return self.session_of(head)[1].role


def cookie_name(head: RequestHead) -> str:
    """With the port, because the cookies of all ports of a host are in one jar (RFC 6265 8.5)."""
    _, _, port = (head.one("host") or "").rpartition(":")
    return f"{COOKIE}_{port}" if port.isdecimal() and port.isascii() else COOKIE


def check_origin(head: RequestHead) -> None:
    """Raise `BadRequest` for a request of another site's page."""
    origin = head.one("origin")
    if origin is not None and not is_same_host(origin, head.one("host") or ""):
        raise BadRequest("Only the observer's own page may ask for this.", status=403)


def _check_forgery(head: RequestHead, session: VisitorSession) -> None:
    check_origin(head)
    given = head.one(CSRF_HEADER) or ""
    if head.method not in LOOKS and not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise BadRequest(f"The header {CSRF_HEADER} must have the session's `csrf`.", status=403)


def _cookies_of(head: RequestHead) -> list[str]:
    name = cookie_name(head)
    pairs = (pair.strip().partition("=") for text in head.all("cookie") for pair in text.split(";"))
    return [value for key, _, value in pairs if key == name]
