"""The part of `Run` that reads the files of the user's message."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar, TypeAlias

import trio

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.files.reading import ReadFilePart, ReadRunFiles
from greenroom.delivery.files.taken import File
from greenroom.delivery.run.emitter import Emitter

Path: TypeAlias = str | os.PathLike[str]


class FileGone(DeliveryError):
    """The journal does not have all of the file: its thread, or its user, was erased."""

    fault: ClassVar[Fault] = Fault.CLIENT


class RunFiles:
    """A run has it as a base class, and sets `_emitter` and `_said_by`."""

    _emitter: Emitter
    _said_by: RunId
    """The run that the message began: this one, or the one that it is a sub-run of."""

    async def files(self) -> Sequence[File]:
        """The files that the user sent with the message. Raises a `JournalError`."""
        user = self._emitter.user
        return await user.journal.ask(
            ReadRunFiles(user.user, self._said_by), whose=user.user
        ).wait()

    async def read_file(self, file: File) -> bytes:
        """All of a file. Raises `FileGone`, or a `JournalError`."""
        return b"".join([part async for part in self.file_parts(file)])

    async def save_file(self, file: File, path: Path) -> None:
        """Write a file to a path, a part at a time. Raises `OSError`, and as `read_file`."""
        async with await trio.open_file(path, "wb") as out:
            async for part in self.file_parts(file):
                await out.write(part)

    async def file_parts(self, file: File) -> AsyncIterator[bytes]:
        """A file as parts, of the size in which they came. Raises as `read_file`."""
        place = 0
        while place < file.size:
            part = await self.read_file_part(file, place)
            yield part
            place += len(part)

    async def read_file_part(self, file: File, start: int) -> bytes:
        """The part that begins at `start`: at 0, or where the one before it ended. Raises as
        `read_file`."""
        user = self._emitter.user
        question = ReadFilePart(user.user, file.key, start)
        part = await user.journal.ask(question, whose=user.user).wait()
        if not part:
            raise FileGone(f"the file {file.key!r} is no longer kept")
        return part
