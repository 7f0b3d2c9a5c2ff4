"""Causes of failures, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, cast

from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.record import CAUSES_KEPT, Entry, FailureCause
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import Write

_COLUMNS: Final = "user, event, run, at, type, text, traceback"
CauseRow: TypeAlias = tuple[str, str, str, int, str, str, str]
_ADD: Final = f"""
    INSERT INTO cause ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (event) DO UPDATE SET
        at = excluded.at, type = excluded.type, text = excluded.text, traceback = excluded.traceback
"""
_FORGET: Final = "DELETE FROM cause WHERE number <= (SELECT max(number) FROM cause) - ?"
_FIND: Final = f"SELECT {_COLUMNS} FROM cause WHERE event = ?"


def cause_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the causes among the entries, and forgets the oldest ones."""
    if causes := [entry for entry in entries if isinstance(entry, FailureCause)]:
        yield _ADD, [_row(cause) for cause in causes]
        yield _FORGET, [(CAUSES_KEPT,)]


class SqlCauses:
    """The part of an `SqlStore` on causes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cause(self, event: EventId) -> FailureCause | None:
        for row in self._database.execute(_FIND, (event,)).fetchall():
            user, _, run, at, type_, text, traceback = cast(CauseRow, row)
            return FailureCause(
                UserId.trusted(user), event, RunId.trusted(run), at, type_, text, traceback
            )
        return None


def _row(cause: FailureCause) -> CauseRow:
    return (
        cause.user,
        cause.event,
        cause.run,
        cause.at,
        cause.type,
        cause.text,
        cause.traceback,
    )
