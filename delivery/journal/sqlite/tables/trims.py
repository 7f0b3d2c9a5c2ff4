"""The beginning of a user's log is forgotten, in SQL, with all that is kept about its events."""

from __future__ import annotations

from typing import Final

import apsw

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.journal.sqlite.schema import pass_by

_LETTERS: Final = """
    DELETE FROM dead_letter
    WHERE event IN (SELECT id FROM log WHERE user = ?1 AND "offset" <= ?2)
"""
_RECORDS: Final = 'DELETE FROM log WHERE user = ?1 AND "offset" <= ?2'
_TRIMMED: Final = "INSERT OR REPLACE INTO trimmed VALUES (?1, ?2)"
# A span that reaches past the trimmed offset now begins after it. This comes first, since a thread
# without a span is forgotten.
_NEXT_SPAN: Final = """
    INSERT OR IGNORE INTO span (user, first, thread)
    SELECT user, "offset", thread FROM log WHERE user = ?1 AND "offset" = ?2 + 1
"""
_SPANS: Final = "DELETE FROM span WHERE user = ?1 AND first <= ?2"
_RECEIVED: Final = "DELETE FROM received WHERE user = ?1 AND through <= ?2"
_ASKS: Final = "DELETE FROM ask WHERE user = ? AND ended <= ?"
_MARKS: Final = """
    DELETE FROM mark
    WHERE user = ?1 AND "offset" <= (SELECT through FROM trimmed WHERE user = ?1)
"""


def trim(database: apsw.Connection, user: UserId, through: int) -> int:
    """Forget a user's events through an offset, in a transaction of the caller's. `through`: at
    most the user's last offset. Returns the number of forgotten events."""
    for sql in (_LETTERS, _RECORDS):
        database.execute(sql, (user, through))
    gone = database.changes()
    if gone:
        for sql in (_TRIMMED, _NEXT_SPAN, _SPANS, _RECEIVED, _ASKS):
            database.execute(sql, (user, through))
        for event_class in EventClass:
            pass_by(database, user, event_class, through)
    database.execute(_MARKS, (user,))
    return gone
