"""An upgrade on a stream that was granted."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

import attrs
import trio

from greenroom.transport.auth.tokens import Identity
from greenroom.transport.connection.socket.client_stream import ClientStream
from greenroom.transport.connection.socket.counted_socket import CountedSocket
from greenroom.transport.http.gentle_close import close_gently
from greenroom.transport.http.responses import Response


@attrs.frozen
class Upgrade:
    """An upgrade that was granted. `acceptance`, the 101, is still to be sent, on `stream`.

    `early`: what came behind the request. A client may speak only once it has the 101 (RFC 6455
    §4.1); one that speaks sooner loses nothing. `clock` gives seconds since the Unix epoch.
    """

    identity: Identity
    stream: trio.abc.Stream
    acceptance: bytes = attrs.field(repr=False)
    early: bytes = attrs.field(repr=False)
    clock: Callable[[], float] = attrs.field(repr=False)

    def socket(self, *, max_bytes: int, allow: Callable[[], bool]) -> CountedSocket:
        """The WebSocket over the stream."""
        stream = ClientStream(self.stream, self.early, max_bytes=max_bytes)
        return CountedSocket(stream, self.acceptance, max_bytes=max_bytes, allow=allow)

    async def refuse(self, response: Response) -> None:
        """Answer with something else than 101 after all."""
        try:
            date = formatdate(self.clock(), usegmt=True)
            await self.stream.send_all(response.encode(date=date))
            await close_gently(self.stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await self.drop()

    async def drop(self) -> None:
        await trio.aclose_forcefully(self.stream)
