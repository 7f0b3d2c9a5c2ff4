"""The files that a journal in memory keeps (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Set

import attrs

from greenroom.delivery.events.exported import ExportedRow, RowValue
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.files.entries import (
    EXPIRES_MS,
    FileDiscarded,
    FileEntry,
    FilePart,
    FilesForgotten,
    FilesSaid,
    KeptFile,
    PendingFiles,
)


@attrs.define(eq=False)
class _FileParts:
    at: int
    received: int = 0
    run: RunId | None = None
    parts: dict[int, bytes] = attrs.field(factory=dict)


class MemoryFiles:
    """Implements `FileReads`."""

    def __init__(self) -> None:
        self._files: dict[tuple[UserId, str], _FileParts] = {}

    def find(self, user: UserId, file: str) -> KeptFile | None:
        known = self._files.get((user, file))
        return None if known is None else KeptFile(known.received, known.run)

    def waiting(self, user: UserId, since: int, but: str) -> PendingFiles:
        others = (file for key, file in self._files.items() if key[0] == user and key[1] != but)
        sizes = [each.received for each in others if each.run is None and each.at >= since]
        return PendingFiles(len(sizes), sum(sizes))

    def part(self, user: UserId, file: str, start: int) -> bytes:
        known = self._files.get((user, file))
        return b"" if known is None else known.parts.get(start, b"")

    def keep(self, entry: FileEntry) -> None:
        match entry:
            case FilePart():
                self._keep_part(entry)
            case FilesSaid():
                for file in entry.files:
                    if (known := self._files.get((entry.user, file))) and known.run is None:
                        known.run = entry.run
            case FilesForgotten():
                self._forget(entry.before, entry.user)
            case FileDiscarded():
                known = self._files.get((entry.user, entry.file))
                if known is not None and known.run is None:
                    del self._files[entry.user, entry.file]

    def erase(self, user: UserId, runs: Set[RunId] | None) -> None:
        """Forget the user's files: those of some runs, or all."""
        for key, file in list(self._files.items()):
            if key[0] == user and (runs is None or file.run in runs):
                del self._files[key]

    def size(self) -> int:
        return sum(each.received for each in self._files.values())

    def rows(self, user: UserId) -> Iterator[ExportedRow]:
        """For a user's export."""
        for (owner, file), known in self._files.items():
            if owner == user:
                for start, data in known.parts.items():
                    part: dict[str, RowValue] = {"user": user, "file": file, "start": start}
                    yield ExportedRow("file_part", {**part, "run": known.run, "data": data})

    def _keep_part(self, part: FilePart) -> None:
        known = self._files.get((part.user, part.file), _FileParts(part.at))
        if known.run is None and known.received == part.start:
            self._files[part.user, part.file] = known
            known.at, known.received = part.at, part.end
            if part.data:
                known.parts[part.start] = part.data
        self._forget(part.at - EXPIRES_MS)

    def _forget(self, before: int, user: UserId | None = None) -> None:
        for key, file in list(self._files.items()):
            if file.run is None and file.at < before and user in (None, key[0]):
                del self._files[key]
