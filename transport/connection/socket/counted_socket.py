"""A WebSocket of which every frame counts: text, pings, pongs and fragments.

trio-websocket answers pings, drops pongs and joins fragments by itself; only its handlers of
wsproto's events see them. Overriding those relies on names that are private in 0.12, so
pyproject.toml caps the version.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import trio
import wsproto
from trio_websocket import CloseReason, ConnectionClosed, WebSocketConnection
from wsproto import frame_protocol
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import FrameProtocol

from greenroom.delivery.outbox.feed import SocketGauge
from greenroom.transport.connection.socket.client_stream import ClientStream
from greenroom.transport.connection.socket.connection_socket import (
    CLOSE_SECONDS,
    ROOM_BYTES,
    Listener,
    heard,
)
from greenroom.transport.connection.socket.ordered_writer import Starter
from greenroom.transport.connection.socket.text_frames import text_frame
from greenroom.transport.connection.socket.traffic import Traffic
from greenroom.transport.http.gentle_close import close_gently

BROKEN_FRAMES = {
    frame_protocol.CloseReason.PROTOCOL_ERROR,
    frame_protocol.CloseReason.INVALID_FRAME_PAYLOAD_DATA,
}


class _ShortQueue(list[Any]):  # Any: of wsproto's events, and of messages
    """Takes the place of a deque in wsproto and one in trio, which are empty nearly always: a deque
    takes 760 bytes even then."""

    def popleft(self) -> Any:
        return self.pop(0)


class CountedSocket(WebSocketConnection):
    """Opens, reads and closes a WebSocket; its frames and ours share one `writer`.

    Reads while `allow()` returns True. It is called for every frame except the closing one. After
    the first frame past the limit nothing more is heard.

    Nearly all clients send whole texts, and nothing else until they close. So what trio-websocket
    keeps of a connection, 7 KB, is made when it is first asked for.
    """

    _is_whole = False

    def __init__(
        self,
        stream: ClientStream,
        acceptance: bytes = b"",
        *,
        max_bytes: int,
        allow: Callable[[], bool],
    ) -> None:
        """`acceptance`: the answer to the upgrade, which opens the socket."""
        self._max_bytes = max_bytes
        self._allow = allow
        self._client = stream
        self._acceptance = acceptance
        self._listener: Listener | None = None
        self._patience: trio.CancelScope | None = None
        self._stops: trio.CancelScope | None = None
        self._is_sending = self._was_stopped = False
        self.writer = stream.writer
        self.gauge = SocketGauge()
        stream.last_words = self._last_words

    def __getattr__(self, name: str) -> Any:  # Any: of whatever trio-websocket keeps
        """Called for what is missing."""
        if self._is_whole:
            raise AttributeError(name, name=name, obj=self)
        self._make_whole()
        return getattr(self, name)

    def _make_whole(self) -> None:
        # once it is open, trio-websocket asks a WSConnection for no more than a Connection has
        self._is_whole = True
        connection = Connection(ConnectionType.SERVER)
        connection._events = _ShortQueue()  # type: ignore[assignment]  # no deque
        server = cast(wsproto.WSConnection, connection)
        super().__init__(
            self._client, server, message_queue_size=1, max_message_size=self._max_bytes
        )
        self._recv_channel._state.data = _ShortQueue()  # type: ignore[assignment]  # no deque

    @property
    def closed(self) -> CloseReason | None:
        """How it was closed, or is being closed."""
        return self._close_reason if self._is_whole else None

    def traffic(self) -> Traffic:
        """The bytes that came and left up to now."""
        return self._client.traffic()

    async def open(self, beside: Starter) -> None:
        """Answer the upgrade. What does not leave at once is written by a task of `beside`."""
        self.writer.nursery = beside
        acceptance, self._acceptance = self._acceptance, b""
        await self._client.send_all(acceptance)

    async def read(self, listener: Listener) -> None:
        """Read until the end, or until it is cancelled. `listener` hears each message in this task,
        and the end."""
        self._listener = listener
        self._client.on_text = self._take_text
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._client.hear_texts()
            await self._reader_task()  # which meets a broken stream again
            listener.ended(flooded=False)
        except trio.Cancelled:
            self._was_stopped = True
            raise
        finally:
            self._listener = None

    def stop_reading(self, scope: trio.CancelScope) -> None:
        """Cancel the scope of `read`, but let a frame that trio-websocket is sending leave first:
        half a frame would be the last of a stream that is no socket."""
        if self._is_sending:
            self._stops, scope.deadline = scope, trio.current_time() + CLOSE_SECONDS
        else:
            scope.cancel()

    async def aclose(self, code: int = 1000, reason: str | None = None) -> None:
        """Close with a handshake. For the peer's answer it reads on, if reading was stopped."""
        if self._patience is not None:
            self._patience.cancel()
        if not self._was_stopped:
            await super().aclose(code, reason)
            return
        self._reader_running = True  # a flood of pings ends it, and what follows must be taken
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reader_task)
            await super().aclose(code, reason)
            nursery.cancel_scope.cancel()

    async def finish(self) -> None:
        """A close that the WebSocket layer began (1009) must still reach the peer."""
        if self.closed is not None:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await close_gently(self._client)

    async def be_patient(self, wait: Callable[[], Awaitable[None]]) -> None:
        """Wait for something on the client's behalf, but no longer than until we close."""
        with trio.CancelScope() as self._patience:
            await wait()
        self._patience = None

    def send_text(self, text: bytes) -> bool:
        """Write a text frame, behind what was written before; False if the socket is gone.

        Looks at `closed` before each: once either side has closed, no data may follow (§5.5.1).
        """
        if self._is_whole and self.closed is not None:
            return False
        self.writer.write(text_frame(text))
        return not self.writer.is_broken

    async def wait_for_room(self) -> None:
        """Wait while so much waits to be written that no more should be asked for."""
        if self.writer.waiting > ROOM_BYTES:
            await self.be_patient(self.writer.wait_taken)

    def _take_text(self, text: str) -> Awaitable[None] | None:
        if not self._allow():
            self._flood()
        elif self._listener is not None and not (self._is_whole and self._is_closing):
            return self._listener.hear(text)
        return None

    async def _tell(self, message: str | bytes) -> None:
        if self._listener is not None:
            await heard(self._listener, message)

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
        if self._listener is None or self._is_closing:
            return
        if event.data or event.message_finished:
            await super()._handle_message_event(event)
            await self._tell_joined()

    async def _tell_joined(self) -> None:
        """trio-websocket has put the message it joined into its channel, if it was whole."""
        if self.closed is not None and self._listener is not None:
            self._listener.ended(flooded=False)  # it was too big
        with suppress(trio.WouldBlock, trio.ClosedResourceError, trio.EndOfChannel):
            await self._tell(self._recv_channel.receive_nowait())

    async def _send(self, event: Event) -> None:
        """Once the closing frame has left, no pong and no other close may follow (RFC 6455 §5.5.1):
        what the client sent before it saw the close asks for some."""
        if self._is_closing and isinstance(event, Pong | CloseConnection):
            return
        self._is_sending = True
        try:
            await super()._send(event)
        finally:
            self._is_sending = False
            if self._stops is not None:
                self._stops.cancel()

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
        closing = (ConnectionState.LOCAL_CLOSING, ConnectionState.CLOSED)
        return self._is_whole and self._wsproto.state in closing

    async def _count(self) -> None:
        if not self._allow():
            self._flood()
            raise ConnectionClosed(None)  # the reader takes that for its end

    def _flood(self) -> None:
        self._client.ignore_rest()
        if self._listener is not None:
            self._listener.ended(flooded=True)
