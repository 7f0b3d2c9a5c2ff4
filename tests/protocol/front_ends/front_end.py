"""A front end, made of http.client: it posts, and reads the messages of the answer."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import attrs

from tests.protocol.without_websocket.events_client import Message, Refused, dial

Json: TypeAlias = dict[str, Any]  # Any: JSON as it came, for assertions


@attrs.frozen
class Reading:
    """An answer that goes on."""

    answer: http.client.HTTPResponse

    def __iter__(self) -> Iterator[Message]:
        """Its messages, until it ends."""
        lines: list[str] = []
        while line := self.answer.readline().decode():
            if line != "\n":
                lines.append(line.rstrip("\n"))
            elif lines:
                if lines != ["data: [DONE]"]:
                    message = Message(lines)
                    if not message.is_comment:
                        yield message
                lines = []

    def until(self, kind: str) -> list[Message]:
        """The messages through the first of this type."""
        read = []
        for message in self:
            read.append(message)
            if message.data["type"] == kind:
                return read
        raise AssertionError(f"the answer ended without {kind}: {read}")

    def rest(self) -> list[Json]:
        return [message.data for message in self]


@attrs.frozen
class FrontEnd:
    """One user's front end."""

    port: int
    headers: Json

    @contextmanager
    def reading(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> Iterator[Reading]:
        """Raises `Refused` for any other status than 200."""
        connection = dial(self.port)
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        if sent is not None:
            headers = {"Content-Type": "application/json", **headers}
        try:
            connection.request(method, f"/live/{path}", sent, {**self.headers, **headers})
            with connection.getresponse() as answer:  # which has taken the socket over
                if answer.status != 200:
                    raise Refused(answer.status, answer.read().decode())
                yield Reading(answer)
        finally:
            connection.close()

    def read(self, method: str, path: str, body: object = None, **headers: str) -> list[Message]:
        """A whole answer."""
        with self.reading(method, path, body, **headers) as reading:
            return list(reading)


def run_input(said: object, run: str = "run-1", thread: str = "thread-1", **more: object) -> Json:
    """A `RunAgentInput`."""
    messages = [{"id": f"message of {run}", "role": "user", "content": said}]
    return {
        "threadId": thread,
        "runId": run,
        "messages": messages,
        "state": {},
        "tools": [],
        "context": [],
        "forwardedProps": {},
        **more,
    }


def types_of(messages: list[Message]) -> list[str]:
    return [message.data["type"] for message in messages]
