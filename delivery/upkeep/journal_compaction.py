"""Compaction: forgets old events by a rule, and returns their space to the file system."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final, cast

import apsw
import attrs

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sql.tables.sessions import forget_unseen
from greenroom.delivery.journal.sqlite.schema import INCREMENTAL
from greenroom.delivery.upkeep.journal_upkeep import (
    TellProgress,
    back_up,
    copied,
    no_progress,
    open_for_upkeep,
)

# All events after a user's first young event stay, whatever their own times: clocks step back, and
# a log must be forgotten from its beginning without gaps.
_DUE: Final = """
    CREATE TEMP TABLE due AS SELECT user, through FROM (
        SELECT user, min("offset") AS first, min(
            coalesce(min("offset") FILTER (WHERE at >= ?1) - 1, max("offset")),
            max("offset") - ?2) AS through
        FROM log GROUP BY user)
    WHERE through >= first
"""
_FOR_EVER: Final = 2**63 - 1


@attrs.frozen
class Compacted:
    """The number of forgotten events and sessions, the bytes before and after, and the path of the
    backup."""

    forgotten: int
    sessions: int
    before: int
    after: int
    backup: Path | None


def compact(
    path: Path,
    *,
    before_ms: int | None = None,
    keep: int | None = None,
    to: Path | None = None,
    now: datetime | None = None,
    progress: TellProgress = no_progress,
) -> Compacted:
    """Forget events older than `before_ms` (ms since the Unix epoch), except a user's last `keep`.

    Sessions that were not seen since `before_ms`, and have no event without its outcome, go too.
    If only one of the two is set, it decides alone; with neither, no event is forgotten and only
    free space is returned. A backup is made first; with `to`, a compacted copy is made there and
    the journal stays as it is. If the process is killed, every user's log is still without gaps,
    and a new call continues. Raises the errors of `open_for_upkeep`.
    """
    with open_for_upkeep(path) as file:
        before = file.bytes()
        due = _Overdue(before_ms, keep)
        if to is not None:
            with copied(file, to, progress) as copy:
                events, sessions = _compact(copy, due, progress)
            return Compacted(events, sessions, before, os.stat(to).st_size, None)
        backup = back_up(file, progress, now)
        events, sessions = _compact(file.database, due, progress)
        return Compacted(events, sessions, before, file.bytes(), backup)


@attrs.frozen
class _Overdue:
    before_ms: int | None
    keep: int | None

    @property
    def values(self) -> tuple[int, int] | None:
        """The parameters of `_DUE`; None if no event is to be forgotten."""
        if self.before_ms is None and self.keep is None:
            return None
        before = _FOR_EVER if self.before_ms is None else self.before_ms
        return before, self.keep or 0


def _compact(database: apsw.Connection, due: _Overdue, progress: TellProgress) -> tuple[int, int]:
    """The number of forgotten events, and of forgotten sessions."""
    database.pragma("synchronous", "normal")  # safe in WAL mode, without a sync per user
    forgotten = _forget(database, due.values, progress) if due.values else 0
    sessions = forget_unseen(database, due.before_ms) if due.before_ms is not None else 0
    progress("giving space back", 0, 0)
    database.pragma("auto_vacuum", INCREMENTAL)  # of a journal that an earlier version made
    database.execute("VACUUM")
    database.pragma("synchronous", "full")
    database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return forgotten, sessions


def _forget(database: apsw.Connection, values: tuple[int, int], progress: TellProgress) -> int:
    database.execute(_DUE, values)
    store, forgotten = SqlStore(database), 0
    total = cast(int, database.execute("SELECT count(*) FROM due").get)
    for done, (user, through) in enumerate(database.execute("SELECT user, through FROM due"), 1):
        forgotten += store.trim(UserId.trusted(str(user)), cast(int, through))
        progress("forgetting", done, total)
    database.execute("DROP TABLE due")
    return forgotten
