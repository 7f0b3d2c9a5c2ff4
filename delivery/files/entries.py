"""What a journal keeps of files (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import RunId, UserId

EXPIRES_MS: Final = 60 * 60 * 1000
"""An upload without a message is forgotten an hour after its last part, with a later part of any
file. What uploads of one user take is bounded meanwhile."""


@attrs.frozen
class FilePart:
    """The bytes of a user's file from `start` on. It changes nothing unless the file has no message
    and ends at `start` when the journal commits it: others may have written meanwhile."""

    user: UserId
    file: str
    start: int
    at: int
    data: bytes = attrs.field(metadata=SECRET)

    @property
    def end(self) -> int:
        return self.start + len(self.data)


@attrs.frozen
class FilesSaid:
    """These files belong to the message that began the run, and are erased with it."""

    user: UserId
    run: RunId
    files: Sequence[str]


@attrs.frozen
class FilesForgotten:
    """Forget the user's uploads without a message that had no part since `before` (ms)."""

    user: UserId
    before: int


@attrs.frozen
class FileDiscarded:
    """Forget an upload, unless a message has it."""

    user: UserId
    file: str


FileEntry: TypeAlias = FilePart | FilesSaid | FilesForgotten | FileDiscarded


@attrs.frozen
class KeptFile:
    """How many bytes of a file are kept, without a gap, and the run that its message began."""

    received: int
    run: RunId | None


@attrs.frozen
class PendingFiles:
    """Uploads of a user without a message: how many, and their bytes."""

    files: int
    bytes: int
