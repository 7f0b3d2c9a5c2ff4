"""The open runs, as a node of several sees them."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Final

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.tables.runs import SqlRuns

FROM_QUEUE: Final = """
    (queued IS NOT NULL OR parent IS NOT NULL AND EXISTS (
        SELECT 1 FROM open_run AS whole WHERE whole."user" = open_run."user"
            AND whole.request = open_run.request AND whole.queued IS NOT NULL))
"""
"""Whether an open run came from the queue: a run, and its sub-runs, which have its request."""

_ELSEWHERE: Final = "SELECT run FROM open_run WHERE user = ? AND node IS DISTINCT FROM ?"
_USERS: Final = """
    SELECT DISTINCT user FROM going_on JOIN open_run USING (user, run)
    WHERE user > ? AND node IS NOT DISTINCT FROM ? ORDER BY user LIMIT ?
"""


class NodeRuns(SqlRuns):
    """The open runs, as the node `me()` sees them."""

    def __init__(self, database: Database, me: Callable[[], int | None]) -> None:
        super().__init__(database)
        self._me = me

    def elsewhere(self, user: UserId) -> Set[RunId]:
        rows = self._database.execute(_ELSEWHERE, (user, self._me())).fetchall()
        return {RunId.trusted(str(run)) for (run,) in rows}

    def users_going_on(self, after: UserId | None, limit: int) -> list[UserId]:
        rows = self._database.execute(_USERS, (after or "", self._me(), limit)).fetchall()
        return [UserId.trusted(str(user)) for (user,) in rows]


def no_node() -> None:
    """The default `me`: what is written is no node's."""
    return
