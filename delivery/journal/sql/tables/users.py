"""The users of a journal, and a user's sessions, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Cursor
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import CURSOR_COLUMNS, CursorRow, cursor_of

# One step of each index: DISTINCT would walk through every event of every user on the way.
_NEXT: Final = """
    SELECT min(user) FROM (
        SELECT min(user) AS user FROM log WHERE user {compare} ?1
        UNION ALL SELECT min(user) FROM trimmed WHERE user {compare} ?1
        UNION ALL SELECT min(user) FROM cursor WHERE user {compare} ?1) AS following
"""
_FROM, _PAST = _NEXT.format(compare=">="), _NEXT.format(compare=">")
_SESSIONS: Final = f"""
    SELECT {CURSOR_COLUMNS} FROM cursor WHERE user = ? ORDER BY at DESC, session LIMIT ?
"""


class SqlUsers:
    """Implements `UserReads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, begins: str, after: UserId | None, limit: int) -> Sequence[UserId]:
        if after is None or after < begins:
            user = self._next(_FROM, begins)
        else:
            user = self._next(_PAST, after)
        found: list[UserId] = []
        while user is not None and user.startswith(begins) and len(found) < limit:
            found.append(UserId.trusted(user))
            user = self._next(_PAST, user)
        return found

    def sessions(self, user: UserId, limit: int) -> Sequence[Cursor]:
        rows = self._database.execute(_SESSIONS, (user, limit)).fetchall()
        return [cursor_of(cast(CursorRow, row)) for row in rows]

    def _next(self, sql: str, user: str) -> str | None:
        return cast("str | None", self._database.execute(sql, (user,)).get)
