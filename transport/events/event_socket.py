"""An event stream and the frames posted to it, as a connection drives them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, cast

import attrs
import orjson
import trio

from greenroom.delivery.events.ids import ConnectionId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.outbox.feed import SocketGauge
from greenroom.transport.connection.socket.connection_socket import (
    ROOM_BYTES,
    ByteWriter,
    Closed,
    Listener,
    heard,
)
from greenroom.transport.connection.socket.ordered_writer import Starter
from greenroom.transport.connection.socket.traffic import Traffic
from greenroom.transport.events.heartbeats import Heartbeats
from greenroom.transport.events.sse import COMMENT, kind_of, messages_of
from greenroom.transport.protocol.frame_object import REPLACEMENT, BadFrame, object_of

REPLY_SECONDS = 5.0
"""How long a post waits for the replies to its frames. Later ones come in the stream."""


class Carrier(Protocol):
    """What the stream is written to."""

    @property
    def writer(self) -> ByteWriter: ...

    def traffic(self) -> Traffic: ...

    async def open(self, beside: Starter) -> None:
        """From now on it can be written to."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin the answer."""

    def send(self, data: bytes) -> None:
        """Write, without waiting."""

    async def wait_gone(self) -> None:
        """Wait until the client has left."""

    async def wait_taken(self) -> None:
        """Wait until all that was written so far has left, or the client has."""

    async def end(self) -> None:
        """The answer is over."""


class OpenStreams:
    """The event streams that are ready, by their users and connections."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[str, EventSocket]] = {}

    def of(self, user: UserId) -> Mapping[str, EventSocket]:
        """The streams of a user, by their connections."""
        return self._streams.get(user, {})

    def add(self, user: str, connection: str, stream: EventSocket) -> None:
        self._streams.setdefault(user, {})[connection] = stream

    def drop(self, stream: EventSocket) -> None:
        if stream.key is None:
            return
        user, connection = stream.key
        streams = self._streams.get(user, {})
        streams.pop(connection, None)
        if not streams:
            self._streams.pop(user, None)


@attrs.define(eq=False)
class _Awaited:
    """A reply that a post waits for; `came` when it is there, or will not come."""

    came: trio.Event = attrs.field(factory=trio.Event)
    frame: bytes | None = None


class EventSocket:
    """A `ConnectionSocket`. The request has said `hello`; what else the client says is posted."""

    def __init__(
        self,
        carrier: Carrier,
        hello: str,
        headers: Mapping[str, str],
        open_streams: OpenStreams,
        allow: Callable[[], bool],
    ) -> None:
        self._carrier = carrier
        self._hello = hello
        self._headers = headers
        self._open_streams = open_streams
        self._allow = allow
        self._listener: Listener | None = None
        self._patience: trio.CancelScope | None = None
        self._turn = trio.Lock()
        self._awaited: dict[str, list[_Awaited]] = {}
        self._heartbeats = Heartbeats(carrier.traffic)
        self._is_over = False
        self.key: tuple[str, str] | None = None
        self.gauge: SocketGauge = SocketGauge()

    @property
    def writer(self) -> ByteWriter:
        return self._carrier.writer

    @property
    def closed(self) -> Closed | None:
        return None

    def traffic(self) -> Traffic:
        return self._heartbeats.traffic()

    async def open(self, beside: Starter) -> None:
        await self._carrier.open(beside)
        self._carrier.begin(200, self._headers)

    async def read(self, listener: Listener) -> None:
        self._listener = listener
        try:
            await heard(listener, self._hello)
            await self._carrier.wait_gone()
            listener.ended(flooded=False)
        finally:
            self._listener = None
            self._hear_no_more()

    def stop_reading(self, scope: trio.CancelScope) -> None:
        scope.cancel()

    async def post(self, frames: Sequence[str]) -> list[bytes]:
        """Hear these frames, in order. The replies to those that have an `id`, in the order of the
        frames; of one whose reply takes too long, it comes in the stream."""
        awaited = [self._await_reply(frame) for frame in frames]
        async with self._turn:
            for frame in frames:
                await self._hear(frame)
        with trio.move_on_after(REPLY_SECONDS):
            for each in awaited:
                if each is not None:
                    await each.came.wait()
        self._forget(awaited)
        return [each.frame for each in awaited if each is not None and each.frame is not None]

    async def _hear(self, frame: str) -> None:
        listener = self._listener
        if listener is None:
            return
        if self._allow():
            await heard(listener, frame)
        else:
            listener.ended(flooded=True)

    async def be_patient(self, wait: Callable[[], Awaitable[None]]) -> None:
        with trio.CancelScope() as self._patience:
            await wait()
        self._patience = None

    def send_text(self, text: bytes) -> bool:
        if self._is_over:
            return False
        kind = kind_of(text)
        if kind == "ready":
            self._note_ready(text)
        if kind != "reply" or not self._answer(text):
            messages = messages_of(text)
            if messages == COMMENT:
                self._heartbeats.sent()
            self._carrier.send(messages)
        return not self.writer.is_broken

    async def wait_for_room(self) -> None:
        if self.writer.waiting > ROOM_BYTES:
            await self.be_patient(self._carrier.wait_taken)

    async def aclose(self, code: int = 1000, reason: str | None = None) -> None:
        """The frame `closing` has said why."""
        if self._patience is not None:
            self._patience.cancel()
        self._is_over = True
        await self._carrier.wait_taken()
        await self._carrier.end()

    async def finish(self) -> None:
        await self._carrier.end()

    def _hear_no_more(self) -> None:
        self._open_streams.drop(self)
        for waiting in self._awaited.values():
            for each in waiting:
                each.came.set()

    def _note_ready(self, frame: bytes) -> None:
        ready = cast("dict[str, str]", orjson.loads(frame))
        self.key = ready["user"], ConnectionId(ready["connection"])
        self._open_streams.add(*self.key, self)

    def _await_reply(self, frame: str) -> _Awaited | None:
        asked = _id_in(frame)
        if asked is None or self._listener is None:
            return None
        awaited = _Awaited()
        self._awaited.setdefault(asked, []).append(awaited)
        return awaited

    def _answer(self, frame: bytes) -> bool:
        """Whether a post waited for this reply."""
        answered = cast("dict[str, JSON]", orjson.loads(frame))["id"]
        waiting = self._awaited.get(cast(str, answered))
        if not waiting:
            return False
        first = waiting.pop(0)
        first.frame = frame
        first.came.set()
        return True

    def _forget(self, awaited: Sequence[_Awaited | None]) -> None:
        for name, waiting in list(self._awaited.items()):
            left = [each for each in waiting if each not in awaited]
            if left:
                self._awaited[name] = left
            else:
                del self._awaited[name]


def _id_in(frame: str) -> str | None:
    """The `id` of a frame that gets a reply. What is no frame gets none, and is refused later."""
    try:
        fields, flaw = object_of(frame)
    except BadFrame:
        return None
    found = fields.get("id")
    if not isinstance(found, str) or (flaw and REPLACEMENT in found):
        return None
    return found if 0 < len(found) <= 128 else None
