"""A client without WebSocket, made of docs/protocol.md and http.client: nothing of ours here."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any, Self, TypeAlias
from urllib.parse import urlencode

PATIENCE = 30.0
Json: TypeAlias = dict[str, Any]  # Any: a message as it came, for assertions


class Refused(Exception):
    """The server answered with another status than 200."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def ask(
    port: int, method: str, path: str, body: object = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request; its answer."""
    return ask_over(dial(port), method, path, body, **headers)


def dial(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)


def ask_over(
    connection: http.client.HTTPConnection, method: str, path: str, body: object, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    sent = None if body is None else json.dumps(body) if not isinstance(body, bytes) else body
    if body is not None:
        headers = {"Content-Type": "application/json", **headers}
    with closing(connection):
        connection.request(method, path, body=sent, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read()


class Message:
    """One message of an event stream: what stands in its lines."""

    def __init__(self, lines: list[str]) -> None:
        fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
        self.is_comment = not fields
        self.id = fields.get("id")
        self.event = fields.get("event", "message")
        self.data: Json = json.loads(fields["data"]) if "data" in fields else {}


class EventsClient:
    """One event stream, open inside its block. Raises `Refused`.

    `dial` opens a connection to the server, whose paths begin with `prefix`.
    """

    def __init__(self, port: int, **options: Any) -> None:
        token = options.pop("token", None)
        self.headers: dict[str, str] = options.pop("headers", {})
        if token is not None:
            self.headers = {"Authorization": f"Bearer {token}", **self.headers}
        last_id = options.pop("last_id", None)
        head = self.headers if last_id is None else {**self.headers, "Last-Event-ID": last_id}
        self._dial: Callable[[], http.client.HTTPConnection] = options.pop(
            "dial", partial(dial, port)
        )
        self._prefix: str = options.pop("prefix", "")
        self.kept: list[Message] = []
        self._connection = self._dial()
        query = f"?{urlencode(options)}" if options else ""
        self._connection.request("GET", f"{self._prefix}/live/events{query}", headers=head)
        self._stream = self._connection.getresponse()
        if self._stream.status != 200:
            refused = Refused(self._stream.status, self._stream.read().decode())
            self.close()
            raise refused
        self.content_type = self._stream.getheader("Content-Type")
        self.ready = self.take("ready").data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._connection.close()

    def next(self) -> Message | None:
        """The next message; None at the end of the stream."""
        lines: list[str] = []
        while line := self._stream.readline().decode():
            if line != "\n":
                lines.append(line.rstrip("\n"))
            elif lines:
                return Message(lines)
        return None

    def take(self, event: str) -> Message:
        """The next message of this type; what comes before it is kept."""
        for index, message in enumerate(self.kept):
            if message.event == event:
                return self.kept.pop(index)
        while (message := self.next()) is not None:
            if message.event == event and not message.is_comment:
                return message
            self.kept.append(message)
        raise AssertionError(f"the stream ended without {event}")

    def events(self, *, until: str) -> list[Message]:
        """The next events, through the first of a kind."""
        events = [self.take("message")]
        while events[-1].data["kind"] != until:
            events.append(self.take("message"))
        return events

    def post(self, body: object, **headers: str) -> list[Json]:
        """Post one frame or a list; the replies. Raises `Refused`."""
        path = f"{self._prefix}/live/frames?connection={self.ready['connection']}"
        answer, data = ask_over(self._dial(), "POST", path, body, **{**self.headers, **headers})
        if answer.status != 200:
            raise Refused(answer.status, data.decode())
        replies = json.loads(data)
        assert isinstance(replies, list)
        return replies

    def rest(self) -> list[Message]:
        """What comes until the stream ends."""
        messages, self.kept = self.kept, []
        while (message := self.next()) is not None:
            messages.append(message)
        return messages
