"""The answer to a front end, as a connection drives it: it reads along and acknowledges nothing."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar, cast

import orjson
import trio

from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
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
from greenroom.transport.events.event_socket import Carrier
from greenroom.transport.events.heartbeats import Heartbeats
from greenroom.transport.events.sse import kind_of
from greenroom.transport.front_ends.commands import (
    Begin,
    Command,
    End,
    Frame,
    Hear,
    LookUp,
    Pass,
    Stream,
    WholeAnswer,
    Write,
    refusal,
)
from greenroom.transport.http.request_head import BadRequest
from greenroom.transport.http.responses import Response, text
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.frame_text import frame_text

MOST_REQUESTS: Final = 128
"""What one stream may ask for."""

T = TypeVar("T")
logger = logging.getLogger("greenroom.transport")


class Opening(Protocol):
    """What becomes a stream."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of every answer to the request."""

    async def stream(self) -> Stream | Response:
        """The stream, or an answer in its place. Raises `BadRequest`."""

    async def began_at(self, say: str) -> int | None:
        """The offset of what was said with this key."""


class FrontSocket:
    """A `ConnectionSocket`. The stream says what a client would, and writes what the client is
    to read."""

    def __init__(self, carrier: Carrier, opening: Opening, allow: Callable[[], bool]) -> None:
        self._carrier = carrier
        self._opening = opening
        self._allow = allow
        self._heartbeats = Heartbeats(carrier.traffic)
        self._stream: Stream | None = None
        self._patience: trio.CancelScope | None = None
        self._over = trio.Event()
        self._has_begun = False
        self._passed: int | None = None
        self._asked, self._asking = trio.open_memory_channel[Hear | LookUp](MOST_REQUESTS)
        self.gauge: SocketGauge = SocketGauge(
            acknowledged=False,
            left_out=0,  # until the answer has begun
        )
        self._commands: Mapping[type[Command], Callable[[Command], None]] = {
            Hear: self._ask,
            LookUp: self._ask,
            Begin: self._begin,
            Write: self._write,
            WholeAnswer: self._answer,
            Pass: self._pass,
            End: self._end,
        }

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

    async def read(self, listener: Listener) -> None:
        self._stream = await self._opened()
        if self._stream is not None:
            await heard(listener, frame_text(self._stream.hello))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak, listener)
            nursery.start_soon(self._wait_over, nursery.cancel_scope)
            await self._carrier.wait_gone()
            nursery.cancel_scope.cancel()
        listener.ended(flooded=False)

    async def _opened(self) -> Stream | None:
        """The stream; None if the request has its answer."""
        opened = await _guarded(self._opening.stream)
        if isinstance(opened, Response):
            self._answer(WholeAnswer(opened))
            return None
        return opened

    async def _speak(self, listener: Listener) -> None:
        """What the client would say."""
        async for asked in self._asking:
            if isinstance(asked, LookUp):
                self._take_place(await _guarded(partial(self._opening.began_at, asked.say)))
            elif self._allow():
                await heard(listener, frame_text(asked.frame))
            else:
                listener.ended(flooded=True)

    def _take_place(self, offset: int | Response | None) -> None:
        if isinstance(offset, Response):
            self._perform([WholeAnswer(offset)])
        else:
            self._perform(cast(Stream, self._stream).looked_up(offset))

    async def _wait_over(self, scope: trio.CancelScope) -> None:
        patience = math.inf if self._stream is None else self._stream.patience
        with trio.move_on_after(patience):
            await self._over.wait()
        if not self._over.is_set():
            self._perform(cast(Stream, self._stream).timed_out())
        await self._carrier.wait_taken()
        scope.cancel()

    def stop_reading(self, scope: trio.CancelScope) -> None:
        scope.cancel()

    async def be_patient(self, wait: Callable[[], Awaitable[None]]) -> None:
        with trio.CancelScope() as self._patience:
            await wait()
        self._patience = None

    def send_text(self, text: bytes) -> bool:
        kind = kind_of(text)
        if self._stream is None or self._over.is_set():
            self._note_unsent(kind, text)
            return not self.writer.is_broken
        if kind == "ping":
            self._heartbeats.sent()
        self._perform(self._stream.take(kind, cast(Frame, orjson.loads(text))))
        return not self.writer.is_broken

    def _note_unsent(self, kind: str, text: bytes) -> None:
        """What comes after the end of the answer is in no answer."""
        if kind == "events" and self.gauge.left_out is None:
            self.gauge.left_out = orjson.loads(text)["events"][0]["offset"]

    async def wait_for_room(self) -> None:
        if self.writer.waiting > ROOM_BYTES:
            await self.be_patient(self._carrier.wait_taken)

    async def aclose(self, code: int = 1000, reason: str | None = None) -> None:
        """The stream has said why."""
        if self._patience is not None:
            self._patience.cancel()
        await self._carrier.wait_taken()
        await self._carrier.end()

    async def finish(self) -> None:
        await self._carrier.end()

    # Commands

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if not self._over.is_set():
                self._commands[type(command)](command)

    def _ask(self, asked: Command) -> None:
        self._asked.send_nowait(cast("Hear | LookUp", asked))

    def _begin(self, begin: Command) -> None:
        self._carrier.begin(200, {**self._opening.headers, **cast(Begin, begin).headers})
        self._has_begun, self.gauge.left_out = True, self._passed

    def _write(self, write: Command) -> None:
        self._carrier.send(cast(Write, write).data)

    def _answer(self, answer: Command) -> None:
        response = cast(WholeAnswer, answer).response
        if cast(WholeAnswer, answer).has_events:
            self.gauge.left_out = None
        headers = {**self._opening.headers, **response.own_headers()}
        self._carrier.begin(response.status, headers)
        if response.body:
            self._carrier.send(response.body)
        self._over.set()

    def _pass(self, passed: Command) -> None:
        """From the first event on that is not sent here, none counts as sent: what is kept of a
        session is one offset."""
        if self._passed is None:
            self._passed = cast(Pass, passed).offset
        if self._has_begun:
            self.gauge.left_out = self._passed

    def _end(self, _: Command) -> None:
        self._over.set()


async def _guarded(look: Callable[[], Awaitable[T]]) -> T | Response:
    """What the journal says, or the answer to a request that it cannot be asked for."""
    try:
        return await look()
    except BadRequest as error:
        return text(error.status, error.message, error.headers)
    except BaseException as error:
        if must_go_on(error):
            raise
        log_failure(logger, error, "a run could not be looked for")
        return refusal(CloseCode.SERVER_ERROR, "The journal cannot be read").response
