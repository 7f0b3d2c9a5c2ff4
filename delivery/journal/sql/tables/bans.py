"""Bans, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import Write

_SET: Final = """
    INSERT INTO ban (user, until, at) VALUES (?, ?, ?)
    ON CONFLICT (user) DO UPDATE SET until = excluded.until, at = excluded.at
"""
_FORGET: Final = "DELETE FROM ban WHERE until <= ?"
_READ: Final = "SELECT user, until, at FROM ban WHERE user > ? ORDER BY user LIMIT ?"


def ban_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the bans among the entries, and forgets those that are over."""
    if bans := [entry for entry in entries if isinstance(entry, Ban)]:
        yield _SET, [(ban.user, ban.until, ban.at) for ban in bans]
        yield _FORGET, [(max(ban.at for ban in bans),)]


class SqlBans:
    """The part of an `SqlStore` on bans."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bans(self, after: UserId | None, limit: int) -> list[Ban]:
        rows = self._database.execute(_READ, (after or "", limit)).fetchall()
        found = cast("list[tuple[str, int, int]]", rows)
        return [Ban(UserId.trusted(user), until, at) for user, until, at in found]
