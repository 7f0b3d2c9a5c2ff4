"""Finds a run in a journal's file by all or part of its id, and reads its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, TypeAlias, cast

import attrs

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import DeliveryError, damaged
from greenroom.delivery.events.ids import (
    RunId,
    ThreadId,
    UserId,
    born_beside,
    kind_of,
    type_of,
)
from greenroom.delivery.events.record import Record
from greenroom.delivery.history.timeline import EventReports, Timeline, of_run, timeline
from greenroom.delivery.journal.sql.database import Rows
from greenroom.delivery.journal.sql.reader import SqlReader
from greenroom.delivery.journal.sql.rows import (
    ATTEMPT_COLUMNS,
    CURSOR_COLUMNS,
    LETTER_COLUMNS,
    MARK_COLUMNS,
    AttemptRow,
    CursorRow,
    LetterRow,
    MarkRow,
    attempt_of,
    cursor_of,
    letter_of,
    mark_of,
)
from greenroom.delivery.legacy.legacy_ids import modern, recognised
from greenroom.delivery.upkeep.journal_upkeep import TellProgress, no_progress

CHUNK: Final = 20_000  # rows looked through at a time
SHOWN: Final = 3
WHERE: Final = "run greenroom events to see the runs there are"

_FOUND: Final = "run, user, thread, min(number)"
_BY_BIRTH: Final = f"""
    SELECT {_FOUND} FROM log INDEXED BY log_user_offset WHERE run = ?1 AND user = (
        SELECT user FROM log INDEXED BY log_id
        WHERE id BETWEEN ?2 AND ?3 AND run = ?1 ORDER BY id LIMIT 1)
    GROUP BY run, user, thread ORDER BY 4
"""
_CURSORS: Final = f"SELECT {CURSOR_COLUMNS} FROM cursor WHERE user = ? AND start < ? AND sent >= ?"
_MARKS: Final = f'SELECT {MARK_COLUMNS} FROM mark WHERE user = ? AND "offset" BETWEEN ? AND ?'
_ATTEMPTS: Final = f"""
    SELECT {ATTEMPT_COLUMNS} FROM attempt WHERE user = ? AND through >= ? AND after < ?
    ORDER BY number
"""
_LETTERS: Final = f"""
    SELECT {LETTER_COLUMNS} FROM dead_letter WHERE user = ? AND "offset" BETWEEN ? AND ?
"""


class NoSuchRun(DeliveryError):
    """The journal has no event of such a run, or the text matches more than one run."""

    fault: ClassVar[Fault] = Fault.OPERATOR


@attrs.frozen
class Found:
    """The place of a run: its user and thread, and the number of its first record."""

    run: RunId
    user: UserId
    thread: ThreadId
    number: int


def read_timeline(reader: SqlReader, run: str, progress: TellProgress = no_progress) -> Timeline:
    """The timeline of the run, as far as the journal has it.

    `run`: an id of the run, a legacy id of it, or the beginning or the end of either. Holds the
    run's events in memory, and reads its user's log from the run's beginning to the end.

    Raises `BadId` for text that cannot be a run's id, `NoSuchRun`, and the errors of
    `SqlReader`.
    """
    found = find_run(reader, run, progress)
    log = reader.read(user=found.user, thread=found.thread, after=found.number - 1)
    records = [record for record, _ in of_run(found.run, (each.record for each in log))]
    if not records:
        raise _unknown(reader, run)  # it was trimmed between the two looks
    try:
        return timeline(found.run, records, _reports(reader, records))
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(f"an event of {found.run}", error) from error


def find_run(reader: SqlReader, text: str, progress: TellProgress = no_progress) -> Found:
    """Find the run that `text` identifies. Raises the errors of `read_timeline`."""
    if type_of(text) is RunId and (found := _by_birth(reader, RunId.trusted(text))):
        return found
    wanted = _WantedRun.of(text)
    known = _search(reader, wanted, progress)
    if len(known) > 1:
        some = ", ".join([each.run for each in known[:SHOWN]])
        more = ", …" if len(known) > SHOWN else ""
        raise NoSuchRun(
            f"{text!r} matches {len(known)} runs: {some}{more}",
            advice="give more of the run's id",
        )
    if not known and wanted.fragment:
        raise NoSuchRun(f"no run in {reader.where} begins or ends with {text!r}", advice=WHERE)
    if not known:
        raise _unknown(reader, text)
    return known[0]


@attrs.frozen
class _WantedRun:
    """Complete ids, or a fragment that the id begins or ends with."""

    ids: tuple[str, ...] = ()
    fragment: str = ""

    @classmethod
    def of(cls, text: str) -> _WantedRun:
        """Raises `BadId` for an id of another kind, and for text that no id can contain."""
        if kind_of(text) == UserId.kind and not recognised(text):  # not a complete id
            return cls(fragment=text)
        return cls(ids=(text, modern(RunId, text)))  # a run not migrated has its old id

    @property
    def sql(self) -> str:
        if self.ids:
            return "run IN (?, ?)"
        return (
            "(substr(run, 1, ?) = ? OR substr(run, 1, ?) = ?"
            " OR substr(run, length(run) - ? + 1) = ?)"
        )

    @property
    def values(self) -> tuple[str | int, ...]:
        if self.ids:
            return self.ids
        text, prefixed = self.fragment, f"{RunId.prefix}_{self.fragment}"
        return (len(text), text, len(prefixed), prefixed, len(text), text)


def _by_birth(reader: SqlReader, run: RunId) -> Found | None:
    """Find a run without a search: the id of its first event is only a little younger than its own.

    None if there is no such event, or if the clock was set in between.
    """
    first, last = born_beside(run)
    with reader.look() as database:
        return next(iter(_founds(database.execute(_BY_BIRTH, (run, first, last)))), None)


def _search(reader: SqlReader, wanted: _WantedRun, progress: TellProgress) -> list[Found]:
    known: dict[str, Found] = {}
    last = reader.last_number()
    query = (
        f"SELECT {_FOUND} FROM log WHERE number > ? AND number <= ? AND {wanted.sql}"
        " GROUP BY run, user, thread ORDER BY 4"
    )
    for after in range(0, last, CHUNK):
        with reader.look() as database:
            rows = database.execute(query, (after, after + CHUNK, *wanted.values))
            for found in _founds(rows):
                known.setdefault(found.run, found)
        progress("looking for the run", min(after + CHUNK, last), last)
    return list(known.values())


_FoundRow: TypeAlias = tuple[str, str, str, int]


def _founds(rows: Rows) -> list[Found]:
    return [
        Found(RunId.trusted(run), UserId.trusted(user), ThreadId.trusted(thread), number)
        for run, user, thread, number in cast("list[_FoundRow]", rows.fetchall())
    ]


def _reports(reader: SqlReader, records: Sequence[Record]) -> EventReports:
    """The reports on these records of one user, in one consistent snapshot."""
    user, first, last = records[0].user, records[0].offset, records[-1].offset
    with reader.look() as database, database:
        cursors = database.execute(_CURSORS, (user, last, first)).fetchall()
        marks = database.execute(_MARKS, (user, first, last)).fetchall()
        attempts = database.execute(_ATTEMPTS, (user, first, last)).fetchall()
        letters = database.execute(_LETTERS, (user, first, last)).fetchall()
    return EventReports(
        cursors=[cursor_of(row) for row in cast("list[CursorRow]", cursors)],
        marks=[mark_of(row) for row in cast("list[MarkRow]", marks)],
        attempts=[attempt_of(row) for row in cast("list[AttemptRow]", attempts)],
        letters=[letter_of(row) for row in cast("list[LetterRow]", letters)],
    )


def _unknown(reader: SqlReader, text: str) -> NoSuchRun:
    return NoSuchRun(
        f"{reader.where} has no run {text!r}: it was trimmed or never existed",
        advice=WHERE,
    )
