"""The steps of retention in a file: they give pages back, too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, cast

import apsw

from greenroom.delivery.journal.retention.cutoffs import Cutoffs, SweepTally, SweptTo
from greenroom.delivery.journal.retention.sql_sweeper import SqlSweeper
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.file import WAL_PAGES
from greenroom.delivery.journal.sqlite.schema import INCREMENTAL

PAGES: Final = 8
"""The most pages that are moved between two looks at the clock."""

SPARE_PAGES: Final = 1_024
SPARE_PART: Final = 8
"""Free pages that stay in the file to be used again: this number, or one in `SPARE_PART`."""


class SqliteSweeper(SqlSweeper):
    """A step is not synced: a power cut may undo it, and the next pass does it again. The WAL is
    folded into the file elsewhere (`SqliteFile.fold`), since that takes many times as long.
    """

    def __init__(
        self,
        database: apsw.Connection,
        store: SqlStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(database, store, clock)
        self._connection = database

    def use(self) -> tuple[int, int | None]:
        free = self._pragma("freelist_count") * self._pragma("page_size")
        return free, super().use()[1]

    def _space(self, _: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo | None:
        """Give pages back, of a file that was made for it."""
        free, pages = self._pragma("freelist_count"), self._pragma("page_count")
        spare = free - max(SPARE_PAGES, pages // SPARE_PART)
        if spare <= 0 or self._pragma("auto_vacuum") != INCREMENTAL:
            return None
        self._database.execute(f"PRAGMA incremental_vacuum({min(spare, PAGES)})").fetchall()
        tally.pages += free - self._pragma("freelist_count")
        return place

    @contextmanager
    def _lightly(self) -> Iterator[None]:
        """Without syncs and checkpoints: in WAL mode this puts at risk only the step itself."""
        self._connection.pragma("synchronous", "normal")
        self._connection.wal_autocheckpoint(0)
        try:
            yield
        finally:
            self._connection.wal_autocheckpoint(WAL_PAGES)
            self._connection.pragma("synchronous", "full")

    def _pragma(self, name: str) -> int:
        return cast(int, self._connection.pragma(name))
