"""A client made of PROTOCOL.md and the `websockets` package: nothing of ours is in it."""

from __future__ import annotations

import json
import socket
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any, Self, TypeAlias

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

PATIENCE = 30.0
Json: TypeAlias = dict[str, Any]  # Any: a frame as it came, for assertions


def opening(
    port: int, token: str | None, **options: Any
) -> AbstractContextManager[ClientConnection]:
    """The opening handshake; entered, it gives a socket, or raises `InvalidStatus`."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    defaults: Json = {"subprotocols": ["greenroom.v1"], "proxy": None, "ping_interval": None}
    return connect(
        options.pop("uri", f"ws://127.0.0.1:{port}/live"),
        additional_headers={**headers, **options.pop("additional_headers", {})},
        close_timeout=2,
        **{**defaults, **options},
    )


def refusal(port: int, token: str | None, **options: Any) -> tuple[int, str]:
    """The HTTP status and text an opening handshake is refused with."""
    try:
        with opening(port, token, **options):
            raise AssertionError("a socket was given")
    except InvalidStatus as refused:
        return refused.response.status_code, refused.response.body.decode()


class Client:
    """One socket, open inside its block. Frames not asked for yet are kept in order."""

    connection: ClientConnection
    ready: Json

    def __init__(self, port: int, token: str | None, **options: Any) -> None:
        self.kept: list[Json] = []
        self._open = ExitStack()
        self.connection = self._open.enter_context(opening(port, token, **options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def send(self, type_: str, **fields: object) -> None:
        self.text(json.dumps({"type": type_, **fields}))

    def text(self, text: str | bytes) -> None:
        """A message as it is: text, or bytes for a binary one."""
        self.connection.send(text)

    def raw(self, *frames: Frame) -> None:
        """Frames past the client library, which would not send them."""
        data = b"".join(frame.serialize(mask=True) for frame in frames)
        self.connection.socket.sendall(data)

    def raw_text(self, data: bytes) -> None:
        self.raw(Frame(Opcode.TEXT, data))

    def hello(self, **fields: object) -> Json:
        """Say hello; the `ready` that answers it."""
        self.send("hello", **fields)
        self.ready = self.take("ready")
        return self.ready

    def take(self, type_: str, **fields: object) -> Json:
        """The next frame of a type, and with these fields if any are given."""
        fields["type"] = type_
        for index, frame in enumerate(self.kept):
            if _has(frame, fields):
                return self.kept.pop(index)
        while not _has(frame := self.next(), fields):
            self.kept.append(frame)
        return frame

    def ask(self, type_: str, **fields: object) -> Json:
        """Send a request; its `reply`."""
        self.send(type_, **fields)
        return self.take("reply", id=fields["id"])

    def fence(self) -> list[Json]:
        """All other frames that came until the server was done with what was sent so far.

        Reports are answered in order, and this one cannot be granted.
        """
        self.send("confirm", offset=2**53)
        self.take(
            "error",
            message=f"confirmed: offset {2**53} was not sent; report only events that were sent",
        )
        kept, self.kept = self.kept, []
        return kept

    def events(self, *, until: str | int = "agent_completed") -> list[Json]:
        """The next events, through the first of a kind or an offset."""
        events: list[Json] = []
        while not events or until not in (events[-1]["kind"], events[-1]["offset"]):
            frame = self.take("events")
            last = [e for e in frame["events"] if until in (e["kind"], e["offset"])][:1]
            cut = frame["events"].index(last[0]) + 1 if last else len(frame["events"])
            events += frame["events"][:cut]
            if rest := frame["events"][cut:]:
                self.kept.insert(0, {**frame, "events": rest})
        return events

    def story(self, body: object = "hello", **fields: object) -> list[Json]:
        """Say something and hear it to the end."""
        self.ask("say", body=body, **{"id": f"say {body}", **fields})
        return self.events()

    def closed_with(self) -> int:
        """The code of the server's close; what came before is kept."""
        with suppress(ConnectionClosed):
            while True:
                self.kept.append(self.next())
        received = self.connection.protocol.close_rcvd
        assert received is not None, "the connection was cut, not closed"
        return received.code

    def cut(self) -> None:
        """Vanish without a closing handshake."""
        self.connection.socket.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def next(self) -> Json:
        """The next frame, whatever it is."""
        message = self.connection.recv(timeout=PATIENCE)
        assert isinstance(message, str), "every frame is a text frame"
        frame = json.loads(message)
        assert isinstance(frame, dict)
        assert isinstance(frame["type"], str)
        return frame


def _has(frame: Json, fields: Json) -> bool:
    return all(frame.get(name) == value for name, value in fields.items())


def deep(levels: int) -> str:
    """A frame of so many levels, itself the first."""
    return '{"type":"pong","x":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"
