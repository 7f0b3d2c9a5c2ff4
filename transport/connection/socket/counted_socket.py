"""A WebSocket of which every frame counts: text, pings, pongs and fragments.

trio-websocket answers pings, drops pongs and joins fragments by itself; only its handlers of
wsproto's events see them. Overriding those relies on names that are private in 0.12, so
pyproject.toml caps the version.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import trio
import wsproto
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason, FrameProtocol
from wsproto.handshake import H11Handshake

from greenroom.transport.connection.socket.text_frames import text_frame
from greenroom.transport.connection.socket.traffic import Traffic
from greenroom.transport.door.early_stream import ReplayStream

ROOM_BYTES = 64 * 1024
"""While more than this waits to be written to a client, no frame of the client is looked at."""

BROKEN_FRAMES = {CloseReason.PROTOCOL_ERROR, CloseReason.INVALID_FRAME_PAYLOAD_DATA}


class _HandshakeOver(H11Handshake):
    """Replaces the handshake of a socket that is open, which would keep its parser and the request
    for as long as the socket: 2.6 KB. wsproto still asks it for events."""

    def __init__(self) -> None:
        """It parses nothing."""

    def events(self) -> Generator[Event, None, None]:
        yield from ()


HANDSHAKE_OVER = _HandshakeOver()


class _ShortQueue(list[Any]):  # Any: of wsproto's events, and of messages
    """Takes the place of a deque in wsproto and one in trio, which are empty nearly always: a deque
    takes 760 bytes even then."""

    def popleft(self) -> Any:
        return self.pop(0)


class CountedSocket(WebSocketConnection):
    """Opens, reads and closes a WebSocket; its frames and ours share one `writer`.

    Reads while `allow()` returns True. It is called for every frame except the closing one.

    After the first frame past the limit nothing more is read, `flooded` is True, and
    `get_message` raises `ConnectionClosed` behind the messages that came before it.
    """

    def __init__(self, stream: ReplayStream, *, max_bytes: int, allow: Callable[[], bool]) -> None:
        server = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        super().__init__(stream, server, max_message_size=max_bytes)
        self.flooded = False
        self._allow = allow
        self._replay = stream
        self.writer = stream.writer
        stream.last_words = self._last_words

    def traffic(self) -> Traffic:
        """The bytes that came and left up to now."""
        return self._replay.traffic()

    async def open(self, nursery: trio.Nursery, subprotocol: str) -> None:
        """Answer the upgrade, and read in a task of the nursery's."""
        self.writer.nursery = nursery
        nursery.start_soon(self._reader_task)
        request = await self._get_request()
        await request.accept(subprotocol=subprotocol)
        self._wsproto.handshake = HANDSHAKE_OVER
        self._keep_short_queues()

    def _keep_short_queues(self) -> None:
        connection, messages = self._wsproto.connection, self._recv_channel._state
        assert connection is not None, "the handshake is over"
        connection._events = _ShortQueue(connection._events)  # type: ignore[assignment]  # no deque
        messages.data = _ShortQueue(messages.data)  # type: ignore[assignment]  # no deque

    def send_text(self, text: bytes) -> bool:
        """Write a text frame, behind what was written before; False if the socket is gone.

        Looks at `closed` before each: once either side has closed, no data may follow (§5.5.1).
        """
        if self.closed is not None:
            return False
        self.writer.write(text_frame(text))
        return not self.writer.is_broken

    async def wait_for_room(self) -> None:
        """Wait while so much waits to be written that no more should be asked for."""
        if self.writer.waiting > ROOM_BYTES:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self.writer.flush()

    async def _handle_ping_event(self, event: Ping) -> None:
        await self._count()
        await super()._handle_ping_event(event)

    async def _handle_pong_event(self, event: Pong) -> None:
        await self._count()
        await super()._handle_pong_event(event)

    async def _handle_message_event(self, event: BytesMessage | TextMessage) -> None:
        """Called for each piece of a frame that was read, too. Empty ones are not kept: they have
        no size, so the limit of a message's bytes would not bound how many are."""
        if event.frame_finished:
            await self._count()
        if (event.data or event.message_finished) and not self._is_closing:
            await super()._handle_message_event(event)

    async def _send(self, event: Event) -> None:
        """Once the closing frame has left, no pong and no other close may follow (RFC 6455 §5.5.1):
        what the client sent before it saw the close asks for some."""
        if not (self._is_closing and isinstance(event, Pong | CloseConnection)):
            await super()._send(event)

    def _last_words(self) -> bytes:
        """trio-websocket (0.12) hangs up on a frame that breaks RFC 6455 without saying so.

        wsproto gives a `CloseConnection` for it that looks like the peer's, which needs no frame.
        Nothing may follow a closing frame of ours (§5.5.1), whatever came behind it.
        """
        closed = self.closed
        if self._is_closing or closed is None or closed.code not in BROKEN_FRAMES:
            return b""
        return bytes(FrameProtocol(client=False, extensions=[]).close(closed.code, closed.reason))

    @property
    def _is_closing(self) -> bool:
        return self._wsproto.state in (ConnectionState.LOCAL_CLOSING, ConnectionState.CLOSED)

    async def _count(self) -> None:
        if self._allow():
            return
        self.flooded = True
        self._replay.ignore_rest()
        await self._send_channel.aclose()
        raise ConnectionClosed(None)  # the reader takes that for its end
