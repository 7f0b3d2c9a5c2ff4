"""The body of a request: bytes as they come, within limits (pure)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from greenroom.actors.errors import Fault, GreenroomError


class BadBody(GreenroomError):
    """A body is too large, comes too slowly, or breaks off. `status` belongs to the answer."""

    fault = Fault.CLIENT

    def __init__(self, message: str, *, status: int, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.status = status


class Body(Protocol):
    """The body of one request, read once."""

    async def receive(self) -> bytes:
        """The next bytes; none at the end. Raises `BadBody` if they do not come."""
        ...


class NoBody:
    """The body of a request that brings none."""

    async def receive(self) -> bytes:
        return b""


NO_BODY = NoBody()


async def whole(body: Body, limit: int) -> bytes:
    """All of a body of at most `limit` bytes. Raises `BadBody`."""
    data = bytearray()
    while piece := await body.receive():
        data += piece
        if len(data) > limit:
            raise BadBody(
                f"the body has more than {limit:,} bytes",
                status=413,
                advice="send it in several requests, or a line at a time as NDJSON",
            )
    return bytes(data)


async def lines(body: Body, limit: int) -> AsyncGenerator[bytes, None]:
    """The lines of a body as they come, without empty ones. Raises `BadBody` for a line of more
    than `limit` bytes."""
    rest = bytearray()
    while piece := await body.receive():
        rest += piece
        if b"\n" in piece:
            *complete, tail = bytes(rest).split(b"\n")
            rest = bytearray(tail)
            for line in complete:
                _check(line, limit)
                if line.strip():
                    yield line
        _check(rest, limit)
    if rest.strip():
        yield bytes(rest)


def _check(line: bytes | bytearray, limit: int) -> None:
    if len(line) > limit:
        raise BadBody(f"a line has more than {limit:,} bytes", status=413)
