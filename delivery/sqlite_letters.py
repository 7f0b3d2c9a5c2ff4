"""Attempts, dead letters and how far events are settled, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import apsw

from greenroom.delivery.events import EventClass
from greenroom.delivery.ids import EventId, UserId
from greenroom.delivery.journal import Attempt, DeadLetter, Entry, Settled
from greenroom.delivery.sqlite_rows import (
    ATTEMPT_COLUMNS,
    LETTER_COLUMNS,
    AttemptRow,
    LetterRow,
    attempt_of,
    attempt_row,
    letter_of,
    letter_row,
)

_ADD_ATTEMPT: Final = f"INSERT INTO attempt ({ATTEMPT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SET_LETTER: Final = (
    f"INSERT OR REPLACE INTO dead_letter ({LETTER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SETTLE: Final = """
    INSERT INTO settled (user, class, through) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET through = max(through, excluded.through)
"""
_FORGET_ATTEMPTS: Final = f"""
    DELETE FROM attempt WHERE user = ?1 AND {len(EventClass)} =
        (SELECT count(*) FROM settled WHERE user = ?1 AND settled.through >= attempt.through)
"""
_ATTEMPTS: Final = f"""
    SELECT {ATTEMPT_COLUMNS} FROM attempt
    WHERE user = ?1 AND after < ?2 AND through >= ?2 ORDER BY number
"""
_LETTERS: Final = f"SELECT {LETTER_COLUMNS} FROM dead_letter WHERE event > ? ORDER BY event LIMIT ?"
_USER_LETTERS: Final = f"""
    SELECT {LETTER_COLUMNS} FROM dead_letter WHERE user = ? AND event > ? ORDER BY event LIMIT ?
"""
_OLDEST_UNSETTLED: Final = """
    SELECT at FROM log WHERE user = ?1 AND class = ?2 AND "offset" > coalesce(
        (SELECT through FROM settled WHERE user = ?1 AND class = ?2), 0)
    ORDER BY "offset" LIMIT 1
"""
_NEXT_USER: Final = "SELECT user FROM log WHERE user > ? ORDER BY user LIMIT 1"


def append_letters(database: apsw.Connection, entries: Sequence[Entry]) -> None:
    """Keep the attempts, dead letters and settled marks among the entries of a transaction."""
    for entry in entries:
        if isinstance(entry, Attempt):
            database.execute(_ADD_ATTEMPT, attempt_row(entry))
        elif isinstance(entry, DeadLetter):
            database.execute(_SET_LETTER, letter_row(entry))
        elif isinstance(entry, Settled):
            database.execute(_SETTLE, (entry.user, entry.event_class, entry.through))
            database.execute(_FORGET_ATTEMPTS, (entry.user,))


class SqliteLetters:
    """What `Journal` tells of undelivered events, on the connection of an `SqliteStore`."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database

    def attempts(self, user: UserId, offset: int) -> list[Attempt]:
        rows = self._database.execute(_ATTEMPTS, (user, offset)).fetchall()
        return [attempt_of(row) for row in cast("list[AttemptRow]", rows)]

    def settled(self, user: UserId) -> Mapping[EventClass, int]:
        rows = self._database.execute("SELECT class, through FROM settled WHERE user = ?", (user,))
        known = {EventClass(str(name)): int(str(through)) for name, through in rows}
        return {event_class: known.get(event_class, 0) for event_class in EventClass}

    def overdue(self, before: Mapping[EventClass, int], after: str, limit: int) -> list[UserId]:
        """One seek a user: the first index leads from each user to the next."""
        found: list[UserId] = []
        while len(found) < limit and (user := self._database.execute(_NEXT_USER, (after,)).get):
            after = str(user)
            if any(self._is_overdue(after, *each) for each in before.items()):
                found.append(UserId.trusted(after))
        return found

    def dead_letters(self, user: UserId | None, after: str, limit: int) -> list[DeadLetter]:
        if user is None:
            rows = self._database.execute(_LETTERS, (after, limit))
        else:
            rows = self._database.execute(_USER_LETTERS, (user, after, limit))
        return [letter_of(row) for row in cast("list[LetterRow]", rows.fetchall())]

    def dead_letter(self, event: EventId) -> DeadLetter | None:
        sql = f"SELECT {LETTER_COLUMNS} FROM dead_letter WHERE event = ?"
        rows = self._database.execute(sql, (event,)).fetchall()
        return next((letter_of(row) for row in cast("list[LetterRow]", rows)), None)

    def drop(self, event: EventId) -> bool:
        self._database.execute("DELETE FROM dead_letter WHERE event = ?", (event,))
        return bool(self._database.changes())

    def _is_overdue(self, user: str, event_class: EventClass, before: int) -> bool:
        at = self._database.execute(_OLDEST_UNSETTLED, (user, event_class)).get
        return at is not None and int(str(at)) < before
