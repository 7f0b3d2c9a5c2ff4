"""Reads the tree of a server of the tests, whole or as a stream."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import attrs

from tests.face.http_get import get
from tests.protocol.server import ADMIN, Server

Json = dict[str, Any]


def nodes(server: Server, **query: object) -> Json:
    status, body, _ = get(server, f"/admin/nodes?{urlencode(query, doseq=True)}")
    assert status == 200, body
    return json.loads(body)


@attrs.frozen
class TreeStream:
    """An event stream of the tree."""

    answer: http.client.HTTPResponse

    def next(self) -> tuple[str, Json]:
        """The next event, its name and its data; `closed` at the end. Fails if none comes."""
        name, data = "", ""
        while line := self.answer.readline().decode():
            assert not line.startswith(":"), "nothing has changed for ten seconds"
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data = value
            elif name:
                return name, json.loads(data)
        return "closed", {}

    def until(self, path: str, **facts: object) -> Iterator[Json]:
        """The changes up to the first in which the row of this path has these facts."""
        while True:
            name, data = self.next()
            assert name == "change", (name, data)
            yield data
            for row in data["rows"]:
                if row["path"] == path and row.items() >= facts.items():
                    return


def asked_stream(port: int) -> http.client.HTTPConnection:
    """A connection on which the stream is asked for, and not yet answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": f"Bearer {ADMIN}"}
    connection.request("GET", "/admin/nodes/changes", headers=headers)
    return connection


@contextmanager
def tree_stream(port: int, query: str = "", **headers: str) -> Iterator[TreeStream]:
    """With the admin's token, unless the headers bring a cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = headers or {"Authorization": f"Bearer {ADMIN}"}
    connection.request("GET", f"/admin/nodes/changes{query}", headers=headers)
    answer = connection.getresponse()
    try:
        assert answer.status == 200, answer.read()
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield TreeStream(answer)
    finally:
        answer.close()
        connection.close()
