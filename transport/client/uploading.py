"""A client's files on their way to the server, in parts that fit a frame."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Protocol

import attrs
import trio

from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.files.taken import File
from greenroom.transport.client.frames import integer
from greenroom.transport.client.line import Line
from greenroom.transport.protocol import wire

AROUND_BYTES: Final = 512
"""What a frame has around the part, at most. Half of the smallest frame that a server may take."""


class Uploads:
    """A client has it as a base class, and sets `_line`, `_new_id` and `_ask`."""

    _line: Line
    _new_id: Callable[[], str]

    async def upload(self, name: str, source: bytes | Path, *, media: str | None = None) -> File:
        """Send a file, for a `say` within the hour. Goes on where it stopped after a reconnect.

        `source`: its bytes, or a path, which is read part by part. `media`: its type, which its
        name suggests if you give none. Raises `OSError`, and `RequestFailed`: code 4502 if the
        agent takes no such file, 4507 (temporary) if too much of the user's waits for its messages.
        """
        async with AsyncExitStack() as opened:
            parts = await _opened(source, opened)
            file = File(self._new_id(), name, media or media_of(name), parts.size)
            place, is_kept = 0, False
            while not is_kept:
                part = await parts.read(place, self._room())
                request = wire.FileUpload(self._new_id(), file.key, place, file.size, part)
                place = integer((await self._ask(request))["received"])
                is_kept = place >= file.size
        return file

    async def discard(self, file: File) -> None:
        """Have the server forget an upload at once. One that a message has stays."""
        await self._ask(wire.DiscardFile(self._new_id(), file.key))

    def _room(self) -> int:
        """The bytes of a part: base64 makes four of three."""
        return (self._line.limit - AROUND_BYTES) // 4 * 3

    async def _ask(self, request: wire.ClientRequest) -> Mapping[str, JSON]:
        """The answer to a request, which is sent again after a reconnect."""
        raise NotImplementedError


@attrs.frozen
class _Bytes:
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    async def read(self, start: int, most: int) -> bytes:
        return self.data[start : start + most]


class _AsyncFile(Protocol):
    async def seek(self, offset: int, whence: int = 0, /) -> int: ...
    async def read(self, size: int | None = -1, /) -> bytes: ...


@attrs.frozen
class _OpenFile:
    """As long as it was when it was opened, whatever is written to it meanwhile."""

    file: _AsyncFile
    size: int

    async def read(self, start: int, most: int) -> bytes:
        await self.file.seek(start)
        return await self.file.read(min(most, self.size - start))


async def _opened(source: bytes | Path, until: AsyncExitStack) -> _Bytes | _OpenFile:
    if isinstance(source, bytes):
        return _Bytes(source)
    file = await until.enter_async_context(await trio.open_file(source, "rb"))
    return _OpenFile(file, await file.seek(0, os.SEEK_END))


def media_of(name: str) -> str:
    """The media type that a file's name suggests."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
