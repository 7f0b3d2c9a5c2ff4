"""The queue of runs that wait for a worker, in Redis: the open runs of node 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import orjson

from greenroom.delivery.journal.redis.mirror import Mirror
from greenroom.delivery.journal.sql.nodes.claims import OnThread, SqlClaims

# `open_run.queued`: when the run was last put into the queue; NULL for a run that no worker is to
# begin. Sub-runs have the request of their run, and move with it.
QUEUE: Final = """
    UPDATE open_run SET node = 0, queued = ? WHERE user = ? AND run = ? AND queued IS NULL
"""
_ANSWERS: Final = "UPDATE node SET agents = ?2 WHERE number = ?1 AND agents != ?2"
_CHOICE: Final = """
    WITH taken AS (
        SELECT user, count(*) AS runs FROM open_run
        WHERE queued IS NOT NULL AND node != 0 GROUP BY user),
    waiting AS (
        SELECT number, coalesce(taken.runs, 0)
            + row_number() OVER (PARTITION BY open_run.user ORDER BY number) AS place
        FROM open_run JOIN going_on USING (user, run) LEFT JOIN taken USING (user)
        WHERE node = 0 AND queued IS NOT NULL
            AND going_on.agent IN (SELECT value FROM json_each(?2)))
    SELECT number FROM waiting WHERE place <= ?4 ORDER BY place, number
    LIMIT max(0, ?3 - (SELECT count(*) FROM open_run WHERE node = ?1 AND queued IS NOT NULL))
"""
_DUE: Final = """
    SELECT number FROM open_run JOIN going_on USING (user, run)
    WHERE node = 0 AND queued IS NOT NULL AND going_on.agent = ?1
        AND (stopped = 1 OR queued < ?2)
"""
_CLAIM: Final = """
    UPDATE open_run SET node = ?1 WHERE node = 0 AND (number = ?2 OR parent IS NOT NULL
        AND (user, request) = (SELECT user, request FROM open_run WHERE number = ?2))
"""
_WORKERS: Final = """
    SELECT number FROM node WHERE ? IN (SELECT value FROM json_each(node.agents))
"""
_NEVER: Final = -1


class RedisClaims(SqlClaims):
    """A claim is a commit like any other: each counts the runs of all that came before."""

    def __init__(self, mirror: Mirror, me: Callable[[], int | None], write: OnThread) -> None:
        super().__init__(mirror.database, me, write)
        self._mirror = mirror

    def _claim(self, agents: list[str], most: int, per_user: int) -> None:
        self._mirror.check()
        names = orjson.dumps(agents).decode()
        with self._database:
            self._database.execute(_ANSWERS, (self._me(), names))
            self._have(_CHOICE, self._me(), names, most, per_user)

    def _withdraw(self, agent: str, late: float | None) -> bool:
        self._mirror.check()
        beat = self._mirror.holding.beat
        workers = cast("list[tuple[int]]", self._database.execute(_WORKERS, (agent,)).fetchall())
        attended = any(beat.left(number) > 0 for (number,) in workers)
        before = _NEVER if attended or late is None else beat.now - round(late * 1000)
        with self._database:
            self._have(_DUE, agent, before)
        return attended

    def _have(self, choice: str, *values: str | int | None) -> None:
        numbers = self._database.execute(choice, values).fetchall()
        self._database.executemany(_CLAIM, [(self._me(), number) for (number,) in numbers])
