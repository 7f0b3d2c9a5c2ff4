"""A client's files on their way to the server, in parts that fit a frame."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

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

        `media`: its type, which its name suggests if you give none. Raises `OSError`, and
        `RequestFailed`: code 4502 if the agent takes no such file, 4507 (temporary) if too much of
        the user's waits for its messages.
        """
        data = source if isinstance(source, bytes) else await trio.Path(source).read_bytes()
        file = File(self._new_id(), name, media or media_of(name), len(data))
        place, is_kept = 0, False
        while not is_kept:
            part = data[place : place + self._room()]
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


def media_of(name: str) -> str:
    """The media type that a file's name suggests."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
