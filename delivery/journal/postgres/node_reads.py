"""What is read of the nodes that share a journal in Postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import closing
from typing import Final, cast

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.journal.node import Node
from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.postgres.errors import in_our_words
from greenroom.delivery.journal.postgres.opening import connect, named
from greenroom.delivery.journal.sql.tables.runs import SqlRuns

_ELSEWHERE: Final = "SELECT run FROM open_run WHERE user = ? AND node IS DISTINCT FROM ?"
_USERS: Final = """
    SELECT DISTINCT user FROM going_on JOIN open_run USING (user, run)
    WHERE user > ? AND node IS NOT DISTINCT FROM ? ORDER BY user LIMIT ?
"""
_NODES: Final = """
    SELECT number, name, version, CAST(extract(epoch FROM started) * 1000 AS BIGINT),
        CAST(extract(epoch FROM expires - clock_timestamp()) AS DOUBLE PRECISION)
    FROM node WHERE expires > '-infinity' ORDER BY number
"""


class PostgresRuns(SqlRuns):
    """The open runs, as the node `me()` sees them."""

    def __init__(self, database: PostgresDatabase, me: Callable[[], int | None]) -> None:
        super().__init__(database)
        self._me = me

    def elsewhere(self, user: UserId) -> Set[RunId]:
        rows = self._database.execute(_ELSEWHERE, (user, self._me())).fetchall()
        return {RunId.trusted(str(run)) for (run,) in rows}

    def users_going_on(self, after: UserId | None, limit: int) -> list[UserId]:
        rows = self._database.execute(_USERS, (after or "", self._me(), limit)).fetchall()
        return [UserId.trusted(str(user)) for (user,) in rows]


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
    rows = cast("list[tuple[int, str, str, int, float]]", database.execute(_NODES).fetchall())
    return [Node(*row) for row in rows]
