"""A whole journal, to check, export or import it, wherever it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import attrs

from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import Imported, export_journal, import_journal
from greenroom.delivery.upkeep.journal_upkeep import TellProgress, open_for_upkeep


class WholeJournal(Protocol):
    """What upkeep does with a journal. It raises `JournalError`s."""

    def flaws(self, progress: TellProgress) -> Iterator[str]:
        """Everything that is wrong in it, a sentence each."""
        ...

    def export_to(self, write: Callable[[bytes], object], progress: TellProgress) -> int:
        """Write all rows, a line each, and return their number."""
        ...

    def import_from(self, lines: Iterable[bytes], progress: TellProgress) -> Imported:
        """Read an export: all of it, or nothing."""
        ...


@attrs.frozen
class WholeFile:
    """A journal in a file. No server may have it open."""

    path: Path

    def flaws(self, progress: TellProgress) -> Iterator[str]:
        with open_for_upkeep(self.path) as file:
            yield from check(file.database, progress)

    def export_to(self, write: Callable[[bytes], object], progress: TellProgress) -> int:
        return export_journal(self.path, write, progress=progress)

    def import_from(self, lines: Iterable[bytes], progress: TellProgress) -> Imported:
        return import_journal(self.path, lines, progress=progress)
