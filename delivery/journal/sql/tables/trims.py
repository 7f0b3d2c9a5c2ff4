"""What retention does to a user's log, in SQL: its beginning is forgotten, or its progress events,
with all that is kept about them."""

from __future__ import annotations

from typing import Final, cast

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import PLACE_BODY, RECORD_COLUMNS
from greenroom.delivery.journal.sql.tables.unsettled import pass_by

_LETTERS: Final = """
    DELETE FROM dead_letter
    WHERE event IN (SELECT id FROM log WHERE user = ?1 AND "offset" <= ?2)
"""
_FILES: Final = """
    DELETE FROM file WHERE user = ?1 AND run IN (
        SELECT run FROM log WHERE user = ?1 AND "offset" <= ?2 AND kind = 'user_said')
"""
_RECORDS: Final = 'DELETE FROM log WHERE user = ?1 AND "offset" <= ?2'
_TRIMMED: Final = """
    INSERT INTO trimmed (user, through) VALUES (?1, ?2)
    ON CONFLICT (user) DO UPDATE SET through = excluded.through
"""
# A span that reaches past the trimmed offset now begins after it. This comes first, since a thread
# without a span is forgotten.
_NEXT_SPAN: Final = """
    INSERT INTO span (user, first, thread)
    SELECT user, "offset", thread FROM log WHERE user = ?1 AND "offset" = ?2 + 1
    ON CONFLICT DO NOTHING
"""
_SPANS: Final = "DELETE FROM span WHERE user = ?1 AND first <= ?2"
_RECEIVED: Final = "DELETE FROM received WHERE user = ?1 AND through <= ?2"
_ASKS: Final = "DELETE FROM ask WHERE user = ? AND ended <= ?"
_MARKS: Final = """
    DELETE FROM mark
    WHERE user = ?1 AND "offset" <= (SELECT through FROM trimmed WHERE user = ?1)
"""

# The columns of a place are those of the event, except these.
_PLACE_COLUMNS: Final = RECORD_COLUMNS.replace("kind", "'superseded'").replace("body", "?4")
# An erased event is in its place already.
_PROGRESS: Final = """
    user = ?1 AND "offset" > ?2 AND "offset" <= ?3 AND class = 'progress' AND kind != 'superseded'
"""
_PROGRESS_LETTERS: Final = f"""
    DELETE FROM dead_letter WHERE event IN (SELECT id FROM log WHERE {_PROGRESS})
"""
_PROGRESS_MARKS: Final = f"""
    DELETE FROM mark WHERE user = ?1 AND "offset" IN (SELECT "offset" FROM log WHERE {_PROGRESS})
"""
_PLACES: Final = f"""
    SELECT number, {_PLACE_COLUMNS} FROM log WHERE {_PROGRESS}
"""
_DELETE: Final = "DELETE FROM log WHERE number = ?"
_INSERT: Final = f"""
    INSERT INTO log (number, {RECORD_COLUMNS}) VALUES (?{", ?" * len(RECORD_COLUMNS.split(","))})
"""
# The trigger takes a row that is written again for a new event.
_NOT_UNSETTLED: Final = """
    DELETE FROM unsettled WHERE user = ?1 AND class = 'progress' AND "offset" <= ?2
"""
_FORGOTTEN: Final = """
    INSERT INTO forgotten (user, through) VALUES (?1, ?2)
    ON CONFLICT (user) DO UPDATE SET through = excluded.through
"""
FORGOTTEN_THROUGH: Final = "SELECT coalesce(max(through), 0) FROM forgotten WHERE user = ?"
"""The offset through which a pass has already looked at a user's progress events."""


def trim(database: Database, user: UserId, through: int) -> int:
    """Forget a user's events through an offset, in a transaction of the caller's. `through`: at
    most the user's last offset. Returns the number of forgotten events."""
    for sql in (_LETTERS, _FILES, _RECORDS):
        database.execute(sql, (user, through))
    gone = database.changes()
    if gone:
        for sql in (_TRIMMED, _NEXT_SPAN, _SPANS, _RECEIVED, _ASKS):
            database.execute(sql, (user, through))
        for event_class in EventClass:
            pass_by(database, user, event_class, through)
    database.execute(_MARKS, (user,))
    return gone


def forget_progress(database: Database, user: UserId, through: int) -> int:
    """Have a user's progress events through an offset leave only their places, in a transaction of
    the caller's. Returns the number of events that did."""
    values = (user, cast(int, database.execute(FORGOTTEN_THROUGH, (user,)).get), through)
    for sql in (_PROGRESS_LETTERS, _PROGRESS_MARKS):
        database.execute(sql, values)
    places = database.execute(_PLACES, (*values, PLACE_BODY)).fetchall()
    # An update never joins pages that it leaves nearly empty; deleting their rows does.
    database.executemany(_DELETE, [(number,) for number, *_ in places])
    database.executemany(_INSERT, places)
    database.execute(_NOT_UNSETTLED, (user, through))
    database.execute(_FORGOTTEN, (user, through))
    return len(places)
