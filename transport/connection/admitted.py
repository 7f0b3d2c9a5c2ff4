"""A proven user's request for a connection, before it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from greenroom.transport.auth.tokens import Identity
from greenroom.transport.connection.socket.connection_socket import ConnectionSocket
from greenroom.transport.http.responses import Response


class Admitted(Protocol):
    """Becomes a socket, or is refused after all."""

    @property
    def identity(self) -> Identity: ...

    def socket(self, *, max_bytes: int, allow: Callable[[], bool]) -> ConnectionSocket:
        """Its socket, which is still to be opened. It takes messages of at most `max_bytes`, and
        hears the client while `allow()` is true, which counts every frame."""

    async def refuse(self, response: Response) -> None:
        """Answer it, and be done. Does nothing if the client is gone."""

    async def drop(self) -> None:
        """Let go of it, whatever it has become, without waiting for the client."""
