"""The endpoints by which a browser signs in and out.

| request | answers |
|---|---|
| `POST /admin/session` | with a token: opens a session and sets its cookie |
| `GET /admin/session` | with the cookie: the session |
| `DELETE /admin/session` | with the cookie: ends the session |
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import attrs
import orjson

from greenroom.admin.guard import Guard, check_origin, cookie_name
from greenroom.admin.sessions import LIFETIME, VisitorSession
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

SESSION: Final = "/admin/session"
SCHEMA: Final = "greenroom.session/1"
ENDED: Final = "greenroom.session-ended/1"

logger = logging.getLogger("greenroom")


@attrs.frozen
class SessionDoor:
    """Checks the visitors itself: who signs in has no session, and to look is enough."""

    guard: Guard

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to a front door."""
        return {
            SESSION: self._tell,
            f"POST {SESSION}": self._open,
            f"DELETE {SESSION}": self._end,
        }

    async def _open(self, head: RequestHead) -> Response:
        role = self.guard.check_token(head)
        check_origin(head)
        self.guard.end_session(head)
        key, session = self.guard.sessions.open(role)
        logger.info("a visitor signed in to the observer, with the role %s", role)
        return _with_cookie(head, _answer(session), key, round(LIFETIME))

    async def _tell(self, head: RequestHead) -> Response:
        return _answer(self.guard.session_of(head)[1])

    async def _end(self, head: RequestHead) -> Response:
        key, _ = self.guard.session_of(head)
        self.guard.sessions.end(key)
        return _with_cookie(head, json_answer(orjson.dumps({"schema": ENDED})), "", 0)


def _answer(session: VisitorSession) -> Response:
    said = {
        "schema": SCHEMA,
        "role": session.role,
        "csrf": session.csrf,
        "expires_at": round(session.expires_at * 1000),
    }
    return json_answer(orjson.dumps(said))


def _with_cookie(head: RequestHead, answer: Response, value: str, seconds: int) -> Response:
    """Without a path it is sent to all of `/admin/`, wherever that is mounted (RFC 6265 5.1.4)."""
    parts = [f"{cookie_name(head)}={value}", f"Max-Age={seconds}", "HttpOnly", "SameSite=Strict"]
    if (head.one("origin") or "").startswith("https:"):  # TLS may end at a proxy
        parts.append("Secure")
    return attrs.evolve(answer, headers={**answer.headers, "Set-Cookie": "; ".join(parts)})
