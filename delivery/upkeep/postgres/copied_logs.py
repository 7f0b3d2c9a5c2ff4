"""The logs of a journal that is copied from a file to Postgres: from where on they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, cast

import attrs

from greenroom.delivery.journal.sql.database import Database, SqlValue

_ENDS: Final = """
    SELECT ends.user, ends.last, log.id FROM (
        SELECT user, max("offset") AS last FROM log WHERE {} GROUP BY user) AS ends
    JOIN log ON log.user = ends.user AND log."offset" = ends.last ORDER BY ends.user
"""
_SPANS: Final = "SELECT user, first, thread FROM span WHERE {} ORDER BY first"
_FORGOTTEN: Final = "SELECT user, through FROM forgotten WHERE {}"
_ID: Final = 'SELECT id FROM log WHERE user = ? AND "offset" = ?'


@attrs.frozen
class UserRange:
    """The users after one, up to another, or all that follow."""

    after: str = ""
    upto: str | None = None

    @property
    def where(self) -> str:
        """A condition with `values`."""
        return "user > ?1" if self.upto is None else "user > ?1 AND user <= ?2"

    @property
    def values(self) -> tuple[str, ...]:
        return (self.after,) if self.upto is None else (self.after, self.upto)


ALL: Final = UserRange()


@attrs.define
class _Log:
    """Two logs are the same if these are. Trimming and erasing change spans, and forgetting
    progress says how far it came."""

    last: int = 0
    id: str = ""
    forgotten: int = 0
    spans: list[tuple[int, str]] = attrs.field(factory=list)


def log_ends(database: Database, users: UserRange) -> Iterator[tuple[SqlValue, ...]]:
    """Of each user with events: the last offset, and its event. In the order of users."""
    yield from database.execute(_ENDS.format(users.where), users.values)


def changed_logs(source: Database, target: Database, users: UserRange) -> Iterator[tuple[str, int]]:
    """The users whose logs differ, and the offset after which: 0 unless the source's only goes on
    from where the target's ends."""
    mine, theirs = _logs(source, users), _logs(target, users)
    for user in sorted(mine.keys() | theirs.keys()):
        here, there = mine[user], theirs[user]
        if here != there:
            yield user, there.last if _goes_on(source, user, here, there) else 0


def _goes_on(source: Database, user: str, here: _Log, there: _Log) -> bool:
    return (
        here.forgotten == there.forgotten
        and [span for span in here.spans if span[0] <= there.last] == there.spans
        and source.execute(_ID, (user, there.last)).get == there.id
    )


def _logs(database: Database, users: UserRange) -> defaultdict[str, _Log]:
    found: defaultdict[str, _Log] = defaultdict(_Log)
    for user, last, event in cast("Iterator[tuple[str, int, str]]", log_ends(database, users)):
        found[user].last, found[user].id = last, event
    for whose, through in database.execute(_FORGOTTEN.format(users.where), users.values):
        found[str(whose)].forgotten = cast(int, through)
    for whose, first, thread in database.execute(_SPANS.format(users.where), users.values):
        found[str(whose)].spans.append((cast(int, first), str(thread)))
    return found
