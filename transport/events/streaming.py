"""Answers that go on: written as they come, to whatever carries them, for as long as it reads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from typing import Final

import attrs
import trio

from greenroom.transport.events.event_socket import Carrier
from greenroom.transport.events.stream_events import StreamCarrier
from greenroom.transport.http.responses import StreamedResponse

SEND_SECONDS: Final = 10.0
"""Seconds that a client may take to read what was sent last, before it is cut off."""


@attrs.frozen
class CarrierOutlet:
    """An `Outlet` that keeps no more than what was sent last."""

    carrier: Carrier

    async def send(self, data: bytes) -> None:
        self.carrier.send(data)
        with trio.move_on_after(SEND_SECONDS) as scope:
            await self.carrier.wait_taken()
        if scope.cancelled_caught or self.carrier.writer.is_broken:
            raise trio.BrokenResourceError("the client has left, or does not read")


async def serve_stream(response: StreamedResponse, carrier: Carrier) -> None:
    """Send the answer until it ends, or the client has left or does not read."""
    async with trio.open_nursery() as nursery:
        await carrier.open(nursery)
        carrier.begin(response.status, response.own_headers())
        nursery.start_soon(_end_with_client, carrier, nursery.cancel_scope)
        with suppress(trio.BrokenResourceError):
            await response.write(CarrierOutlet(carrier))
        nursery.cancel_scope.cancel()
    await carrier.end()


async def _end_with_client(carrier: Carrier, scope: trio.CancelScope) -> None:
    await carrier.wait_gone()
    scope.cancel()


@attrs.frozen
class Streaming:
    """An answer that goes on, on a stream of the own server; it is not begun yet."""

    response: StreamedResponse
    stream: trio.abc.Stream
    clock: Callable[[], float] = attrs.field(repr=False)

    async def serve(self) -> None:
        """Serve it to its end."""
        carrier = StreamCarrier(self.stream, formatdate(self.clock(), usegmt=True))
        try:
            await serve_stream(self.response, carrier)
        finally:
            await trio.aclose_forcefully(self.stream)
