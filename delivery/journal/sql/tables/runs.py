"""Open runs in SQL, and what is kept of them until they end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Final, cast

import attrs

from greenroom.delivery.events.going_on import GoesOn, GoingOn, NotAgain, StepResult
from greenroom.delivery.events.ids import RunId, UserId, born_beside
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS, Entry, OpenRun, Record
from greenroom.delivery.journal.sql.database import Database, SqlValue
from greenroom.delivery.journal.sql.rows import (
    RECORD_COLUMNS,
    RUN_COLUMNS,
    RecordRow,
    RunRow,
    Write,
    open_run_of,
    record_of,
    run_row,
)

_OPEN: Final = f"""
    INSERT INTO open_run (user, {RUN_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_ATTEMPT: Final = """
    UPDATE going_on SET attempt = attempt + 1, at = ?3 WHERE user = ?1 AND run = ?2
"""
_END: Final = "DELETE FROM open_run WHERE user = ? AND run = ?"
_GO_ON: Final = """
    INSERT INTO going_on (user, run, agent, attempt, at, stopped)
    SELECT user, run, ?3, 0, 0, 0 FROM open_run WHERE user = ?1 AND run = ?2
    ON CONFLICT DO NOTHING
"""
_STOP: Final = "UPDATE going_on SET stopped = 1 WHERE user = ? AND run = ?"
_KEEP_STEP: Final = """
    INSERT INTO step_result (user, run, key, value, at)
    SELECT user, run, ?3, ?4, ?5 FROM open_run WHERE user = ?1 AND run = ?2
    ON CONFLICT DO NOTHING
"""

_OPEN_RUNS: Final = f"SELECT {RUN_COLUMNS} FROM open_run WHERE user = ? ORDER BY number"
_GOING_ON: Final = """
    SELECT going_on.run, agent, attempt, at, stopped FROM going_on JOIN open_run USING (user, run)
    WHERE going_on.user = ? ORDER BY open_run.number
"""
_USERS: Final = "SELECT DISTINCT user FROM going_on WHERE user > ? ORDER BY user LIMIT ?"
_STEP: Final = "SELECT value FROM step_result WHERE user = ? AND run = ? AND key = ?"
_BORN_FIRST: Final = """
    SELECT user, "offset" FROM log WHERE id BETWEEN ? AND ? AND run = ? ORDER BY id LIMIT 1
"""
_FIRST: Final = f"""
    SELECT {RECORD_COLUMNS} FROM log WHERE user = ? AND "offset" BETWEEN ? AND ? AND run = ?
    ORDER BY "offset" LIMIT 1
"""
_SAME_MS: Final = 1_000
"""More events than one user has in a millisecond: their ids are in any order."""

_STEPS: Final = "SELECT count(*) FROM step_result WHERE user = ? AND run = ?"


_STEP_KEYS: Final = "SELECT key FROM step_result WHERE user = ? AND run = ?"
_LISTED: Final = """
    SELECT open_run.user, open_run.run, thread, agent, attempt, at, stopped
    FROM open_run LEFT JOIN going_on USING (user, run)
    WHERE parent IS NULL AND (open_run.user = ?1 OR ?1 IS NULL) AND (run = ?2 OR ?2 IS NULL)
    ORDER BY number LIMIT ?3
"""
_LISTED_BEFORE: Final = """
    SELECT user, run, thread, NULL, 0, 0, 0 FROM open_run
    WHERE parent IS NULL AND (user = ?1 OR ?1 IS NULL) AND (run = ?2 OR ?2 IS NULL)
    ORDER BY number LIMIT ?3
"""
"""In a journal of an older version that no server has opened since."""


class SqlRuns:
    """The part of `SqlStore` that reads open runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_runs(self, user: UserId) -> list[OpenRun]:
        rows = self._database.execute(_OPEN_RUNS, (user,)).fetchall()
        return [open_run_of(cast(RunRow, row)) for row in rows]

    def going_on(self, user: UserId) -> list[GoingOn]:
        rows = self._database.execute(_GOING_ON, (user,)).fetchall()
        return [
            GoingOn(RunId.trusted(run), agent, attempt, at, bool(stopped))
            for run, agent, attempt, at, stopped in cast(list[tuple[str, str, int, int, int]], rows)
        ]

    def users_going_on(self, after: UserId | None, limit: int) -> list[UserId]:
        rows = self._database.execute(_USERS, (after or "", limit)).fetchall()
        return [UserId.trusted(str(user)) for (user,) in rows]

    def elsewhere(self, user: UserId) -> Set[RunId]:
        return frozenset()

    def step_result(self, user: UserId, run: RunId, key: str) -> str | None:
        return cast("str | None", self._database.execute(_STEP, (user, run, key)).get)

    def step_results(self, user: UserId, run: RunId) -> int:
        return cast(int, self._database.execute(_STEPS, (user, run)).get)

    def first(self, run: RunId) -> Record | None:
        born = self._database.execute(_BORN_FIRST, (*born_beside(run), run)).fetchall()
        rows = [
            row
            for user, offset in cast(list[tuple[str, int]], born)
            for row in self._database.execute(_FIRST, (user, offset - _SAME_MS, offset, run))
        ]
        return record_of(cast(RecordRow, rows[0])) if rows else None


@attrs.frozen
class OpenRunRow:
    """An open run for operators. `agent` and what follows are empty for one that does not go on.

    `began`: when its last attempt did, in ms. `steps`: the keys that have a result.
    """

    user: str
    run: str
    thread: str
    agent: str | None
    attempt: int
    began: int
    stopped: bool
    steps: Sequence[str]


def read_open_runs(
    database: Database, *, user: UserId | None = None, run: RunId | None = None, limit: int
) -> list[OpenRunRow]:
    """The open runs of one user or all, oldest first. Sub-runs are left out."""
    kept = database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'going_on'").get
    rows = database.execute(_LISTED if kept else _LISTED_BEFORE, (user, run, limit)).fetchall()
    return [
        OpenRunRow(
            user=str(row[0]),
            run=str(row[1]),
            thread=str(row[2]),
            agent=cast("str | None", row[3]),
            attempt=cast("int | None", row[4]) or 0,
            began=cast("int | None", row[5]) or 0,
            stopped=bool(row[6]),
            steps=_steps(database, row[:2]) if kept else (),
        )
        for row in rows
    ]


def _steps(database: Database, run: Sequence[SqlValue]) -> list[str]:
    return [str(key) for (key,) in database.execute(_STEP_KEYS, run)]


def run_writes(records: Sequence[Record]) -> Iterator[Write]:
    """What follows from the events that begin and end runs."""
    for record in records:
        if record.kind in RUN_OPENS:
            yield _OPEN, [run_row(record)]
            if record.kind is Kind.AGENT_STARTED:
                yield _ATTEMPT, [(record.user, record.run, record.at)]
        elif record.kind in RUN_ENDS:
            yield _END, [(record.user, record.run)]


def going_on_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the entries of runs that go on."""
    for entry in entries:
        if isinstance(entry, GoesOn):
            yield _GO_ON, [(entry.user, entry.run, entry.agent)]
        elif isinstance(entry, NotAgain):
            yield _STOP, [(entry.user, entry.run)]
        elif isinstance(entry, StepResult):
            yield _KEEP_STEP, [(entry.user, entry.run, entry.key, entry.value, entry.at)]
