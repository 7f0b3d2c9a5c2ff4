"""Sessions are forgotten, in SQL, once nothing about an event depends on them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias, cast

from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.undelivered import Stretches

UnseenSession: TypeAlias = tuple[str, str, int, int]
"""A user, a session, and the offsets it received: past the first through the second."""

SETTLED: Final = f"""
    SELECT CASE count(*) WHEN {len(EventClass)} THEN min(through) ELSE 0 END
    FROM settled WHERE user = ?1
"""
"""The offset through which every event of a user has its outcome."""

_USERS: Final = "SELECT DISTINCT user FROM cursor"
_UNSEEN: Final = f"""
    SELECT user, session, start, "offset" FROM cursor
    WHERE user = ?1 AND at < ?2 AND max("offset", sent) <= ({SETTLED})
"""
_FORGET: Final = "DELETE FROM cursor WHERE user = ? AND session = ?"
_KNOWN: Final = "SELECT start, through FROM received WHERE user = ?"
_FORGET_KNOWN: Final = "DELETE FROM received WHERE user = ?"
_KEEP: Final = "INSERT INTO received (user, start, through) VALUES (?, ?, ?)"
_TRIMMED: Final = "SELECT coalesce(max(through), 0) FROM trimmed WHERE user = ?"


def forget_sessions(database: Database, unseen: Iterable[UnseenSession]) -> None:
    """Forget these sessions, sorted by user. What they received stays received."""
    with database:
        for user, sessions in groupby(unseen, itemgetter(0)):
            _forget(database, user, list(sessions))


def forget_unseen(database: Database, before: int) -> int:
    """Forget all sessions not seen since `before` (ms) that have no event without its outcome.
    Returns their number."""
    gone = 0
    for (user,) in database.execute(_USERS).fetchall():
        rows = database.execute(_UNSEEN, (str(user), before)).fetchall()
        unseen = cast("list[UnseenSession]", rows)
        forget_sessions(database, unseen)
        gone += len(unseen)
    return gone


def _forget(database: Database, user: str, unseen: list[UnseenSession]) -> None:
    known = cast("list[tuple[int, int]]", database.execute(_KNOWN, (user,)).fetchall())
    trimmed = cast(int, database.execute(_TRIMMED, (user,)).get)
    stretches = Stretches([*known, *((start, offset) for _, _, start, offset in unseen)])
    kept = [(user, *stretch) for stretch in stretches if stretch[1] > trimmed]
    database.executemany(_FORGET, [(user, session) for _, session, _, _ in unseen])
    database.execute(_FORGET_KNOWN, (user,))
    database.executemany(_KEEP, kept)
