"""The messages of one ASGI request, on their way between its server's loop and the runtime's.

Two queues. What waits in one is taken in one go: the first message wakes the other side. Each
count has one side that writes it. The runtime writes without waiting, and bounds what waits; the
server's side waits while the runtime does not take what it has.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import TypeAlias

import trio

from greenroom.actors.errors import GreenroomError
from greenroom.actors.exit import must_go_on
from greenroom.actors.text.safe import safe_repr
from greenroom.asgi.server_loop import ServerLoop
from greenroom.transport.connection.socket.traffic import SLOWEST, Traffic

Message: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Post: TypeAlias = Callable[[Callable[[], object]], None]

ARRIVED_BYTES, ARRIVED_MESSAGES = 64 * 1024, 64
"""Past either the server is not asked for more until some of them are taken."""

LINGER_SECONDS = 2.0
"""Seconds for what was put last to be sent, once the request is over."""

GONE = ("websocket.disconnect", "http.disconnect")
logger = logging.getLogger("greenroom.asgi")


class AsgiExchange:
    """One request. `post` calls something in the runtime's thread, in order, soon.

    As a `ByteWriter` it counts what was put: `taken` is what the server's `send` has returned for.
    """

    def __init__(self, loop: ServerLoop, post: Post) -> None:
        self._loop = loop
        self._post = post
        self._more = loop.signal()
        self._room = loop.signal()
        self._over = loop.signal()
        self._out: deque[tuple[Message | None, int]] = deque()
        self._arrived: deque[tuple[Message, int]] = deque()
        self._came = self._came_count = 0  # written by the server's side
        self._heard = self._heard_count = 0  # written by the runtime's
        self._sent = 0  # written by the server's side
        self._is_gone = False  # as the server's side has seen
        self._progress_posted = self._arrival_posted = False
        self._watchers = trio.lowlevel.ParkingLot()
        self._listeners = trio.lowlevel.ParkingLot()
        self._is_ended = False
        self.ended: trio.Event = trio.Event()
        self.on_progress: Callable[[], None] | None = None
        self.given = self.taken = 0
        self.slack = SLOWEST  # the server's side takes all of it at its next turn
        self.stalled_since: float | None = None
        self.is_broken = False

    # On the server's side

    async def serve(self, receive: Receive, send: Send) -> None:
        """Carry messages until the runtime is done with the request, or this is cancelled."""
        try:
            main, beside = partial(self._give_out, send), partial(self._take_in, receive)
            await self._loop.run(main, until=self._is_overdue, beside=beside)
        finally:
            self._tell(self._vanish)

    def finish(self) -> None:
        """Nothing more comes from the runtime. May be called in any thread."""
        self._out.append((None, 0))
        self._more.set()
        self._over.set()

    async def _is_overdue(self) -> None:
        """A server whose client does not read may hold `send` for ever."""
        await self._over.wait()
        await self._loop.sleep(LINGER_SECONDS)

    async def _take_in(self, receive: Receive) -> None:
        while not self._is_gone:
            message = await self._received(receive)
            self._is_gone = message["type"] in GONE
            size = _size_of(message)
            self._came, self._came_count = self._came + size, self._came_count + 1
            self._arrived.append((message, size))
            if not self._arrival_posted:
                self._arrival_posted = True
                self._tell(self._note_arrival)
            while self._is_full() and not self._is_gone:
                await self._room.wait()

    async def _received(self, receive: Receive) -> Message:
        """Whatever a server raises here says that its client is gone."""
        try:
            return await receive()
        except Exception as error:
            if must_go_on(error):
                raise
            logger.debug("the server could not receive: %s", safe_repr(error))
            return {"type": GONE[0], "code": 1006}

    async def _give_out(self, send: Send) -> None:
        """What the server takes for a client that has gone is not sent."""
        while True:
            while self._out:
                message, size = self._out.popleft()
                if message is None:
                    return
                if self._is_gone or not await self._has_sent(send, message):
                    continue
                self._sent += size
                if not self._progress_posted:
                    self._progress_posted = True
                    self._tell(self._note_progress)
            await self._more.wait()

    async def _has_sent(self, send: Send, message: Message) -> bool:
        """Whatever a server raises here says that its client is gone."""
        try:
            await send(message)
        except Exception as error:
            if must_go_on(error):
                raise
            logger.debug("the server could not send: %s", safe_repr(error))
            self._is_gone = True
            self._tell(self._vanish)
            return False
        return True

    def _is_full(self) -> bool:
        waiting, count = self._came - self._heard, self._came_count - self._heard_count
        return waiting > ARRIVED_BYTES or count > ARRIVED_MESSAGES

    def _tell(self, callback: Callable[[], object]) -> None:
        with suppress(GreenroomError):  # the runtime has stopped
            self._post(callback)

    # On the runtime's side

    @property
    def waiting(self) -> int:
        """The bytes that were put and not yet sent, as far as is known."""
        return self.given - self.taken

    def traffic(self) -> Traffic:
        """What came and left up to now."""
        return Traffic(self._came, self.taken, self.waiting)

    def put(self, message: Message, size: int = 1) -> None:
        """Have this sent, behind what was put before. Does nothing once the client is gone."""
        if self.is_broken or self._is_ended:
            return
        if not self.waiting:
            self.stalled_since = trio.current_time()
        self.given += size
        self._out.append((message, size))
        self._more.set()

    async def receive(self) -> Message:
        """The next message; the last one is a disconnect. One task may call it at a time."""
        while not self._arrived:
            await self._listeners.park()
        message, size = self._arrived.popleft()
        self._heard, self._heard_count = self._heard + size, self._heard_count + 1
        if not self._is_full():
            self._room.set()
        return message

    async def wait_taken(self) -> None:
        """Wait until all that was put so far is sent, or the client is gone."""
        end = self.given
        while self.taken < end and not self.is_broken:
            await self._watchers.park()

    def end(self) -> None:
        """The request is over."""
        if not self._is_ended:
            self._is_ended = True
            self.ended.set()
            self.finish()

    def _note_arrival(self) -> None:
        self._arrival_posted = False
        self._listeners.unpark_all()
        if self._is_gone:
            self._vanish()

    def _note_progress(self) -> None:
        self._progress_posted = False
        self.taken = self._sent
        self.stalled_since = trio.current_time() if self.waiting else None
        self._wake()

    def _vanish(self) -> None:
        """The server has no more to do with the request, whatever is still to be said."""
        if not self.is_broken:
            self.is_broken, self.stalled_since = True, None
            self._arrived.append(({"type": GONE[0], "code": 1006}, 0))
            self._listeners.unpark_all()
            self._wake()

    def _wake(self) -> None:
        self._watchers.unpark_all()
        if self.on_progress is not None:
            self.on_progress()


def _size_of(message: Message) -> int:
    size = 1
    for name in ("text", "bytes", "body"):
        value = message.get(name)
        if isinstance(value, str | bytes):
            size += len(value)
    return size
