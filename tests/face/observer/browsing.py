"""A visitor of the observer, as a browser is: keeps a cookie, and says which page asks."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import Any

import attrs
import orjson

from tests.protocol.server import ADMIN, Server

LOOK = "a token that may look, 32 bytes or more"
"""The `look_token` of tests; `ADMIN` is the other."""


@attrs.frozen
class Said:
    """An answer."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> Any:
        return orjson.loads(self.body)


@attrs.define
class Visitor:
    """Asks `server` below `prefix`. `origin`: of the page; None says none."""

    server: Server
    prefix: str = ""
    cookie: str = ""
    csrf: str = ""
    origin: str | None = None

    def sign_in(self, token: str = ADMIN, **headers: str) -> Said:
        said = self.ask("POST", "/admin/session", Authorization=f"Bearer {token}", **headers)
        if said.status == 200:
            self.cookie = said.headers["set-cookie"].partition(";")[0]
            self.csrf = said.json()["csrf"]
        return said

    def ask(self, method: str, path: str, **headers: str) -> Said:
        """With the cookie and the secret of the session, if there is one."""
        own = {"Cookie": self.cookie, "X-Greenroom-CSRF": self.csrf, "Origin": self.origin}
        sent = {name: value for name, value in own.items() if value} | headers
        port = self.server.port
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request(method, self.prefix + path, headers=sent)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Said(answer.status, answer.read(), headers)
