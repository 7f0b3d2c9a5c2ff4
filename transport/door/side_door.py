"""The side door: the port of a process that has no users, for who runs it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import attrs
import trio

from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.transport.door.answering import peer_of, read_head, send_response
from greenroom.transport.door.half_open import HalfOpen
from greenroom.transport.door.paths import Handler, PathTable
from greenroom.transport.events.streaming import Streaming
from greenroom.transport.http.request_head import BadRequest, HeadParser
from greenroom.transport.http.responses import StreamedResponse, text
from greenroom.transport.streams import Streams

logger = logging.getLogger("greenroom.transport")


class SideDoor:
    """Answers each socket one request, by a table of `routes`, within `deadline` seconds."""

    def __init__(
        self,
        routes: Mapping[str, Handler],
        *,
        half_open: HalfOpen,
        deadline: float,
        streams: Streams,
        clock: Callable[[], float],
    ) -> None:
        self._paths = PathTable(routes)
        self._half_open = half_open
        self._deadline = deadline
        self._streams = streams
        self._clock = clock

    async def welcome(self, stream: trio.abc.Stream) -> None:
        """One accepted socket. What goes wrong with it is logged and never reaches the others."""
        try:
            with self._half_open.handshake(self._deadline, peer_of(stream)):
                await self._answer(stream)
                return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer has left
        except BaseException as error:
            if must_go_on(error):
                await trio.aclose_forcefully(stream)
                raise
            log_failure(logger, error, "a socket could not be welcomed")
        await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.abc.Stream) -> None:
        head = None
        try:
            head = await read_head(stream, HeadParser())
            if head is None:
                return await trio.aclose_forcefully(stream)
            response = await self._paths.respond(attrs.evolve(head, peer=peer_of(stream)))
        except BadRequest as error:
            kind = {"kind": str(error.status)}
            label = self._paths.label(head)
            logger.info("%s: %d %s", label, error.status, error.message, extra=kind)
            response = text(error.status, error.message, error.headers)
        if isinstance(response, StreamedResponse) and head is not None and head.method != "HEAD":
            return await self._streams.take(Streaming(response, stream, self._clock))
        return await send_response(stream, response, head, self._clock)
