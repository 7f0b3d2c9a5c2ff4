"""Questions to users in SQL: which are open, and how the others ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

from greenroom.delivery.events.asks import ask_of
from greenroom.delivery.events.ids import AskId, UserId
from greenroom.delivery.events.kinds import ASK_ENDS, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import RECORD_COLUMNS, RecordRow, Write, record_of

_ASK: Final = """
    INSERT INTO ask (user, ask, "offset", run) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_END: Final = "UPDATE ask SET ended = ?3 WHERE user = ?1 AND ask = ?2 AND ended IS NULL"
_COLUMNS: Final = ", ".join("log." + name for name in RECORD_COLUMNS.split(", "))
_OPEN: Final = f"""
    SELECT {_COLUMNS} FROM ask JOIN log USING (user, "offset")
    WHERE ask.user = ? AND ended IS NULL ORDER BY ask."offset"
"""
_ENDED: Final = f"""
    SELECT {_COLUMNS} FROM ask JOIN log ON log.user = ask.user AND log."offset" = ask.ended
    WHERE ask.user = ? AND ask.ask = ?
"""


class SqlAsks:
    """Implements `AskReads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def opened(self, user: UserId) -> list[Record]:
        rows = self._database.execute(_OPEN, (user,)).fetchall()
        return [record_of(row) for row in cast("list[RecordRow]", rows)]

    def end(self, user: UserId, ask: AskId) -> Record | None:
        rows = cast("list[RecordRow]", self._database.execute(_ENDED, (user, ask)).fetchall())
        return next(map(record_of, rows), None)


def ask_writes(records: Sequence[Record]) -> Iterator[Write]:
    """What the events of questions change: an end counts if the question has none."""
    for record in records:
        if record.kind is Kind.INPUT_REQUESTED:
            yield _ASK, [(record.user, ask_of(record), record.offset, record.run)]
        elif record.kind in ASK_ENDS:
            yield _END, [(record.user, ask_of(record), record.offset)]
