"""Checks, exports and imports a journal in Postgres, beside its servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Final, cast

import attrs
import psycopg

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.journal.postgres.connection import PostgresDatabase, StreamingDatabase
from greenroom.delivery.journal.postgres.errors import in_our_words
from greenroom.delivery.journal.postgres.opening import (
    check_version,
    check_whole,
    connect,
    epoch_of,
    named,
    prepare,
)
from greenroom.delivery.journal.sql.tables.threads import fill_in
from greenroom.delivery.journal.sql.tables.unsettled import pass_by
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.legacy.legacy_ids import is_mapped
from greenroom.delivery.upkeep import journal_lines
from greenroom.delivery.upkeep.journal_check import check_entries
from greenroom.delivery.upkeep.journal_export import SHOWN, Imported, export_entries
from greenroom.delivery.upkeep.journal_intake import Refusals, insert_all
from greenroom.delivery.upkeep.journal_lines import BadExport, TableRow
from greenroom.delivery.upkeep.journal_upkeep import TellProgress
from greenroom.delivery.upkeep.postgres.moves import take_epoch
from greenroom.delivery.upkeep.sql_tables import count_rows

_ENDS: Final = """
    SELECT log_end.user, last, ends.last_event FROM log_end LEFT JOIN (
        SELECT user, max("offset") AS last_event FROM log GROUP BY user) AS ends USING (user)
    LEFT JOIN trimmed USING (user)
    WHERE last != max(coalesce(ends.last_event, 0), coalesce(trimmed.through, 0))
"""
_SET_ENDS: Final = """
    INSERT INTO log_end (user, last)
    SELECT user, max(last) FROM (
        SELECT user, "offset" AS last FROM log UNION ALL SELECT user, through FROM trimmed)
        AS ends
    GROUP BY user ON CONFLICT DO NOTHING
"""
_RUN_ENDS: Final = 'SELECT user, run, max("offset") FROM log GROUP BY user, run'
_SETTLE: Final = """
    INSERT INTO settled (user, class, through) VALUES (?, ?, ?)
    ON CONFLICT (user, class) DO UPDATE SET through = max(settled.through, excluded.through)
"""
_SETTLED: Final = "SELECT user, class, through FROM settled"


@attrs.frozen
class WholePostgres:
    """A `WholeJournal` in Postgres. Its servers go on meanwhile: what is read is of one moment."""

    url: str

    def flaws(self, progress: TellProgress) -> Iterator[str]:
        with _one_state(self.url) as database:
            yield from check_entries(database, progress)
            for user, last, event in database.execute(_ENDS):
                yield f"the log of {str(user)!r} ends at {event!r}, but is said to end at {last!r}"

    def export_to(self, write: Callable[[bytes], object], progress: TellProgress) -> int:
        with _one_state(self.url) as database:
            return export_entries(database, epoch_of(database.connection), write, progress)

    def import_from(self, lines: Iterable[bytes], progress: TellProgress) -> Imported:
        """A new or empty journal takes the export's epoch, so that clients can resume in it; no
        server may have it open. One with users keeps its own epoch, and must have no user of the
        export. Raises `BadExport`, `NotMixed`, `JournalBusy` and other `JournalError`s."""
        lines = iter(lines)
        header = journal_lines.read_header(next(lines, b""), sqlite_schema.VERSION)
        where = named(self.url)
        with in_our_words(where), closing(connect(self.url)) as connection:
            prepare(connection, header.epoch)
            database = PostgresDatabase(connection)
            with database:
                check_whole(connection)
                if not count_rows(database):
                    take_epoch(connection, header.epoch, where)
                rows = _import(database, lines, progress)
        return Imported(rows, None)


def _import(database: PostgresDatabase, lines: Iterable[bytes], progress: TellProgress) -> int:
    rows = insert_all(database, journal_lines.read_rows(lines), _REFUSALS, progress)
    database.execute(_SET_ENDS)
    _settle_mapped(database)
    fill_in(database)
    database.execute("ANALYZE")
    if found := list(islice(check_entries(database, progress, strict=False), SHOWN)):
        raise BadExport("the export's rows do not form a sound journal\n" + "\n".join(found))
    return rows


@contextmanager
def _one_state(url: str) -> Iterator[StreamingDatabase]:
    with in_our_words(named(url)), closing(connect(url)) as connection:
        check_version(connection, named(url))
        PostgresDatabase(connection).execute("BEGIN")
        yield StreamingDatabase(connection)


def _settle_mapped(database: PostgresDatabase) -> None:
    """As `settle_mapped` of a file."""
    mapped: dict[str, int] = {}
    for user, run, last in database.execute(_RUN_ENDS):
        if is_mapped(RunId.trusted(str(run))):
            mapped[str(user)] = max(mapped.get(str(user), 0), cast(int, last))
    classes = ("critical", "progress")
    database.executemany(_SETTLE, [(u, each, at) for u, at in mapped.items() for each in classes])
    for user, event_class, through in database.execute(_SETTLED).fetchall():
        pass_by(database, str(user), str(event_class), cast(int, through))


def _why_not(error: Exception, row: TableRow) -> str:
    """The words of Postgres, which name the column or the constraint."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return f"{row.table}: {said or error}"


_REFUSALS: Final = Refusals((psycopg.IntegrityError, psycopg.DataError, OverflowError), _why_not)
