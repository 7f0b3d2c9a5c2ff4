"""What is read of the nodes that share a journal in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import orjson

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.nodes.notice import WHATS, Notice, What
from greenroom.delivery.journal.node import Node, NoticePage
from greenroom.delivery.journal.redis.nodes.beat import Beat
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import Write

NodeRow: TypeAlias = tuple[int, str, str, int, str, str | None]
_NODES: Final = "SELECT number, name, version, started, agents, address FROM node ORDER BY number"
_NOTICE: Final = "INSERT INTO notice (node, at, about, what, of) VALUES (?, ?, ?, ?, ?)"
_ENDS: Final = "SELECT coalesce(min(number), 1), coalesce(max(number), 0) FROM notice"
_NOTICES: Final = """
    SELECT number, node IS ?, about, what, of FROM notice WHERE number > ? ORDER BY number LIMIT ?
"""
_FORGET_NOTICES: Final = """
    DELETE FROM notice WHERE at < ? AND number < (SELECT max(number) FROM notice)
"""


def read_nodes(database: Database, beat: Beat) -> list[Node]:
    """The nodes that have not given up, oldest first."""
    return listed(cast("list[NodeRow]", database.execute(_NODES).fetchall()), beat)


def listed(rows: Sequence[NodeRow], beat: Beat) -> list[Node]:
    """The nodes of these rows that have not given up."""
    return [
        Node(number, name, version, started, beat.left(number), orjson.loads(agents), address)
        for number, name, version, started, agents, address in rows
        if not beat.is_given_up(number)
    ]


def notice_write(me: int | None, now: int, notices: Sequence[Notice]) -> Write:
    """What keeps the notices of a node."""
    return _NOTICE, [
        (me, now, notice.user, notice.what, orjson.dumps(notice.of).decode()) for notice in notices
    ]


def notices_begin(database: Database) -> int:
    """The place of a node that begins now: the number of the newest notice."""
    return cast("tuple[int, int]", database.execute(_ENDS).get)[1]


def read_notices(database: Database, me: int | None, place: object, limit: int) -> NoticePage:
    """See `Reads.notices`. A place is a number: no notice is kept after one with a greater one."""
    if not isinstance(place, int):
        raise TypeError(f"`place` must be that of a page, not {place!r}")
    first, _ = cast("tuple[int, int]", database.execute(_ENDS).get)
    rows = cast(
        "list[tuple[int, int, str, str, str]]",
        database.execute(_NOTICES, (me, place, limit)).fetchall(),
    )
    notices = [
        Notice(UserId.trusted(about), What(what), orjson.loads(of))
        for _, is_mine, about, what, of in rows
        if what in WHATS and (what == What.SESSION or not is_mine)
    ]
    after = rows[-1][0] if rows else place
    return NoticePage(notices, after, len(rows) == limit, missed=first > place + 1)


def forget_notices(database: Database, before: int) -> None:
    """Forget notices of before then, in ms. The newest one stays: numbers go on from it."""
    database.execute(_FORGET_NOTICES, (before,))
