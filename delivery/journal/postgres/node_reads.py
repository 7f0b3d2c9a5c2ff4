"""What is read of the nodes that share a journal in Postgres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, Final, TypeAlias, cast

import attrs
import orjson
import psycopg

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.nodes.notice import NOTICES_KEPT_SECONDS, WHATS, Notice, What
from greenroom.delivery.journal.node import Node, NoticePage
from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.postgres.errors import in_our_words
from greenroom.delivery.journal.postgres.opening import connect, named
from greenroom.delivery.journal.sql.rows import Write

_NODES: Final = """
    SELECT number, name, version, CAST(extract(epoch FROM started) * 1000 AS BIGINT),
        CAST(extract(epoch FROM expires - clock_timestamp()) AS DOUBLE PRECISION),
        coalesce(agents, '{}'), address
    FROM node WHERE expires > '-infinity' ORDER BY number
"""
_NOTICE: Final = "INSERT INTO notice (node, about, what, of) VALUES (?, ?, ?, ?)"
# Every transaction with a number below that has ended.
_NOW: Final = """
    SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT),
        CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)
"""
_NOTICES: Final = """
    SELECT number, transaction, node IS NOT DISTINCT FROM ?, about, what, of
    FROM notice WHERE transaction >= ? AND number > ? ORDER BY number LIMIT ?
"""


@attrs.frozen
class NoticePlace:
    """All notices were read whose transaction is below `below`, and of the others those in `read`:
    each with its transaction. `at`: when, in seconds by the clock of Postgres.

    Amid a pass over several pages: the last number so far, and what `below` will be.
    """

    below: int
    at: float
    read: Mapping[int, int] = attrs.field(factory=dict)
    number: int = 0
    next_below: int = 0


_NoticeRow: TypeAlias = tuple[int, int, bool, str, str, str]


def read_lasts(database: PostgresDatabase, users: Sequence[UserId]) -> Mapping[UserId, int]:
    """The last offset of each of these users."""
    rows = database.connection.execute(
        'SELECT "user", last FROM log_end WHERE "user" = ANY (%s)', (list(users),)
    )
    return {UserId.trusted(user): last for user, last in rows}


def read_nodes_at(url: str) -> list[Node]:
    """The nodes of the journal at `url`, for a program that is none. Raises `JournalError`s."""
    with in_our_words(named(url)), closing(connect(url)) as connection:
        return read_nodes(PostgresDatabase(connection))


def read_nodes(database: PostgresDatabase) -> list[Node]:
    """The nodes, oldest first."""
    rows = cast(
        "list[tuple[int, str, str, int, float, list[str], str | None]]",
        database.execute(_NODES).fetchall(),
    )
    return [Node(*row) for row in rows]


def notice_write(me: int | None, notices: Sequence[Notice]) -> Write:
    """What keeps the notices of a node. It comes last in a transaction: of two that change the same
    thing, the one that waits for the other has the greater number."""
    of = [orjson.dumps(notice.of).decode() for notice in notices]
    return _NOTICE, [
        (me, notice.user, notice.what, text) for notice, text in zip(notices, of, strict=True)
    ]


def notices_begin(connection: psycopg.Connection[Any]) -> NoticePlace:
    """The place of a node that begins now."""
    row = connection.execute(_NOW).fetchone()
    return NoticePlace(*(row or (0, 0.0)))


def read_notices(
    database: PostgresDatabase, me: int | None, place: object, limit: int
) -> NoticePage:
    """See `Reads.notices`."""
    if not isinstance(place, NoticePlace):
        raise TypeError(f"`place` must be that of a page, not {place!r}")
    below, now = cast("list[tuple[int, float]]", database.execute(_NOW).fetchall())[0]
    values = me, place.below, place.number, limit
    rows = cast("list[_NoticeRow]", database.execute(_NOTICES, values).fetchall())
    missed, more = now - place.at > NOTICES_KEPT_SECONDS / 2, len(rows) == limit
    after = _after(place, NoticePlace(place.next_below or below, now), rows, more=more)
    return NoticePage([_notice_of(row) for row in rows if _is_new(row, place)], after, more, missed)


def _after(
    place: NoticePlace, now: NoticePlace, rows: Sequence[_NoticeRow], *, more: bool
) -> NoticePlace:
    """A pass begins at one state: what its later pages see besides is read once more, and known."""
    read = {**place.read, **{row[0]: row[1] for row in rows}}
    if more:
        return NoticePlace(place.below, now.at, read, rows[-1][0], now.below)
    return attrs.evolve(now, read={each: its for each, its in read.items() if its >= now.below})


def _is_new(row: _NoticeRow, place: NoticePlace) -> bool:
    """A newer version may say more than is known here. Of this node's own, a session's is read: it
    tells which of two nodes had the session first."""
    number, _, is_mine, _, what, _ = row
    return number not in place.read and what in WHATS and (what == What.SESSION or not is_mine)


def _notice_of(row: _NoticeRow) -> Notice:
    return Notice(UserId.trusted(row[3]), What(row[4]), orjson.loads(row[5]))
