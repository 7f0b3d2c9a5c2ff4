"""Where the search for overdue events goes on: of each user and class, the first event that may
have no outcome."""

from __future__ import annotations

from typing import Final

from greenroom.delivery.journal.sql.database import Database

PASS_BY: Final = (
    """
    UPDATE unsettled SET (number, "offset", at) = (
        SELECT number, "offset", at FROM log
        WHERE user = ?1 AND "offset" > ?3 ORDER BY "offset" LIMIT 1)
    WHERE user = ?1 AND class = ?2 AND "offset" <= ?3
        AND EXISTS (SELECT 1 FROM log WHERE user = ?1 AND "offset" > ?3)
    """,
    'DELETE FROM unsettled WHERE user = ?1 AND class = ?2 AND "offset" <= ?3',
)
"""Statements that pass by a user's events of a class up to an offset, in this order."""


def pass_by(database: Database, user: str, event_class: str, through: int) -> None:
    """Pass by the events of the class up to `through`: they have their outcome or are trimmed."""
    for sql in PASS_BY:
        database.execute(sql, (user, event_class, through))
