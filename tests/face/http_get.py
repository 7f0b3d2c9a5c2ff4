"""One HTTP request to a server of the tests, with its admin's token unless another is given."""

from __future__ import annotations

import http.client
from contextlib import closing

from tests.protocol.server import ADMIN, Server


def get(
    server: Server, path: str, token: str | None = ADMIN, method: str = "GET", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
