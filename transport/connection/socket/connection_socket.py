"""What a connection needs of its socket, whatever carries it: a WebSocket or another server's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from greenroom.delivery.outbox.feed import SocketGauge
from greenroom.transport.connection.socket.ordered_writer import Starter
from greenroom.transport.connection.socket.traffic import Traffic

CLOSE_SECONDS = 2.0
"""How long a peer may take over the closing handshake, and for the last frame of the reader."""

ROOM_BYTES = 64 * 1024
"""While more than this waits to be written to a client, no frame of the client is looked at."""


class Listener(Protocol):
    """The receiver of what a client sends."""

    def hear(self, message: str | bytes) -> Awaitable[None] | None:
        """Take a whole message. Nothing more is read until what it returns was awaited."""

    def ended(self, *, flooded: bool) -> None:
        """Take the end: nothing more comes; `flooded`: because the client sent more than it may."""


async def heard(listener: Listener, message: str | bytes) -> None:
    """Let it hear the message, and wait for it."""
    if (wait := listener.hear(message)) is not None:
        await wait


class Closed(Protocol):
    """How a socket was closed; `code` is that of the peer's close, or of what it broke."""

    @property
    def code(self) -> int: ...


class ByteWriter(Protocol):
    """What was written to a socket. `OrderedWriter` says what each name means."""

    slack: int
    given: int
    taken: int
    stalled_since: float | None
    is_broken: bool
    on_progress: Callable[[], None] | None

    @property
    def waiting(self) -> int: ...


class ConnectionSocket(Protocol):
    """One client's socket, as its connection drives it. Frames are texts in UTF-8.

    The connection opens it, reads in one task, writes from any without waiting, and closes it.
    """

    @property
    def writer(self) -> ByteWriter: ...

    @property
    def gauge(self) -> SocketGauge:
        """What the user actor reads of it. The connection keeps it."""

    @property
    def closed(self) -> Closed | None:
        """None until the peer has closed, or broken the protocol of the socket."""

    def traffic(self) -> Traffic:
        """The bytes that came and left up to now."""

    async def open(self, beside: Starter) -> None:
        """Grant what the client asked for. What takes time is done by tasks of `beside`."""

    async def read(self, listener: Listener) -> None:
        """Read until the end, or until it is cancelled. `listener` hears each message in this task,
        and the end."""

    def stop_reading(self, scope: trio.CancelScope) -> None:
        """Cancel the scope of `read`, as soon as nothing is cut in two by it."""

    async def be_patient(self, wait: Callable[[], Awaitable[None]]) -> None:
        """Wait for something on the client's behalf, but no longer than until we close."""

    def send_text(self, text: bytes) -> bool:
        """Write a frame, behind what was written before; False if the socket is gone."""

    async def wait_for_room(self) -> None:
        """Wait while so much waits to be written that no more should be asked for."""

    async def aclose(self, code: int = 1000, reason: str | None = None) -> None:
        """Close it, with a handshake where there is one. What waits is written first."""

    async def finish(self) -> None:
        """The connection is over: let what was sent last arrive."""
