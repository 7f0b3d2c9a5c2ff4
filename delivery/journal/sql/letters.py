"""Attempts, dead letters and settled offsets, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias, cast

import attrs
import orjson

from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import Attempt, DeadLetter, Entry, Settled
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import (
    ATTEMPT_COLUMNS,
    LETTER_COLUMNS,
    AttemptRow,
    LetterRow,
    Write,
    attempt_of,
    attempt_row,
    letter_of,
    letter_row,
)
from greenroom.delivery.journal.sql.tables.unsettled import PASS_BY
from greenroom.delivery.journal.undelivered import (
    PAUSES_KEPT,
    OverdueUsers,
    Pause,
    SearchedTo,
    deliverable_since,
    pause_between,
)

_ADD_ATTEMPT: Final = f"INSERT INTO attempt ({ATTEMPT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SET_LETTER: Final = f"""
    INSERT INTO dead_letter ({LETTER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (event) DO UPDATE SET
        outcome = excluded.outcome, attempts = excluded.attempts, at = excluded.at
"""
_SETTLE: Final = """
    INSERT INTO settled (user, class, through) VALUES (?, ?, ?)
    ON CONFLICT (user, class) DO UPDATE SET through = max(settled.through, excluded.through)
"""
_FORGET_ATTEMPTS: Final = f"""
    DELETE FROM attempt WHERE user = ?1 AND {len(EventClass)} =
        (SELECT count(*) FROM settled WHERE user = ?1 AND settled.through >= attempt.through)
"""
_ATTEMPTS: Final = f"""
    SELECT {ATTEMPT_COLUMNS} FROM attempt
    WHERE user = ?1 AND after < ?3 AND through >= ?2 ORDER BY number LIMIT ?4
"""
_LETTERS: Final = f"SELECT {LETTER_COLUMNS} FROM dead_letter WHERE event > ? ORDER BY event LIMIT ?"
_USER_LETTERS: Final = f"""
    SELECT {LETTER_COLUMNS} FROM dead_letter WHERE user = ? AND event > ? ORDER BY event LIMIT ?
"""
_UNSETTLED: Final = """
    SELECT at, user, number FROM unsettled
    WHERE class = ?1 AND at < ?2 AND (at, user) > (?3, ?4) ORDER BY at, user LIMIT ?5
"""
_LAST_RECORD: Final = "SELECT number, at FROM log ORDER BY number DESC LIMIT 1"
_META: Final = "SELECT value FROM meta WHERE name = ?"
_SET_META: Final = """
    INSERT INTO meta (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""

_START: Final[SearchedTo] = (-(2**63), "")
_END: Final = 2**63 - 1
_WaitingUser: TypeAlias = tuple[int, str, int]


def letter_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the attempts, dead letters and settled marks among the entries, in their order."""
    for entry in entries:
        if isinstance(entry, Attempt):
            yield _ADD_ATTEMPT, [attempt_row(entry)]
        elif isinstance(entry, DeadLetter):
            yield _SET_LETTER, [letter_row(entry)]
        elif isinstance(entry, Settled):
            settled = [(entry.user, entry.event_class, entry.through)]
            yield _SETTLE, settled
            yield from ((sql, settled) for sql in PASS_BY)
            yield _FORGET_ATTEMPTS, [(entry.user,)]


@attrs.frozen
class _ServerTimes:
    """When a server was last at work (ms), if known, and the pauses without a server."""

    alive: int | None
    pauses: Sequence[Pause]


class SqlLetters:
    """The part of an `SqlStore` on undelivered events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def pauses(self) -> Sequence[Pause]:
        """The newest pauses in which no server was at work."""
        return self._servers.pauses

    def attempts(self, user: UserId, first: int, last: int, limit: int) -> list[Attempt]:
        rows = self._database.execute(_ATTEMPTS, (user, first, last, limit)).fetchall()
        return [attempt_of(row) for row in cast("list[AttemptRow]", rows)]

    def settled(self, user: UserId) -> Mapping[EventClass, int]:
        rows = self._database.execute("SELECT class, through FROM settled WHERE user = ?", (user,))
        settled = {str(name): int(str(through)) for name, through in rows}
        return {event_class: settled.get(event_class, 0) for event_class in EventClass}

    def overdue(
        self, event_class: EventClass, before: int, after: SearchedTo | None, limit: int
    ) -> OverdueUsers:
        """Walks at most `limit` steps along the index."""
        servers = self._servers
        rows = self._waiting(event_class, after or _START, before, limit)
        if len(rows) < limit and servers.alive is not None:
            ahead = max(after or _START, (max(servers.alive, before), ""))
            rows += self._waiting(event_class, ahead, _END, limit - len(rows))
        found = [
            UserId.trusted(user)
            for at, user, number in rows
            if deliverable_since(at, number, servers.pauses) < before
        ]
        return OverdueUsers(found, rows[-1][:2] if len(rows) == limit else None)

    def _waiting(
        self, event_class: EventClass, after: SearchedTo, before: int, limit: int
    ) -> list[_WaitingUser]:
        rows = self._database.execute(_UNSETTLED, (event_class, before, *after, limit))
        return cast("list[_WaitingUser]", rows.fetchall())

    def alive(self, now: int, after: int) -> None:
        with self._database:
            servers = self._servers
            newest = self._database.execute(_LAST_RECORD).get
            number, at = cast("tuple[int, int]", newest or (0, now))
            last = at if servers.alive is None else servers.alive
            pause = pause_between(last, now, worked=after, number=number)
            if pause:
                pauses = [*servers.pauses, pause][-PAUSES_KEPT:]
                kept = orjson.dumps([attrs.astuple(each) for each in pauses]).decode()
                self._database.execute(_SET_META, ("pauses", kept))
            self._database.execute(_SET_META, ("alive", str(now)))

    def dead_letters(
        self, user: UserId | None, after: EventId | None, limit: int
    ) -> list[DeadLetter]:
        if user is None:
            rows = self._database.execute(_LETTERS, (after or "", limit))
        else:
            rows = self._database.execute(_USER_LETTERS, (user, after or "", limit))
        return [letter_of(row) for row in cast("list[LetterRow]", rows.fetchall())]

    def dead_letter(self, event: EventId) -> DeadLetter | None:
        sql = f"SELECT {LETTER_COLUMNS} FROM dead_letter WHERE event = ?"
        rows = self._database.execute(sql, (event,)).fetchall()
        return next((letter_of(row) for row in cast("list[LetterRow]", rows)), None)

    def drop(self, event: EventId) -> bool:
        self._database.execute("DELETE FROM dead_letter WHERE event = ?", (event,))
        return bool(self._database.changes())

    @property
    def _servers(self) -> _ServerTimes:
        alive, pauses = self._meta("alive"), orjson.loads(self._meta("pauses") or "[]")
        return _ServerTimes(int(alive) if alive else None, [Pause(*each) for each in pauses])

    def _meta(self, name: str) -> str | None:
        return cast("str | None", self._database.execute(_META, (name,)).get)
