"""What a node takes out of the queue of runs, on the journal's thread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypeVar, cast

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.journal.nodes import ClaimedRun, Withdrawn
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.nodes.node_runs import FROM_QUEUE

R = TypeVar("R")

_MINE: Final = f"""
    SELECT user, run, coalesce(stopped, 0) FROM open_run LEFT JOIN going_on USING (user, run)
    WHERE node = ? AND {FROM_QUEUE} ORDER BY number
"""


class OnThread(Protocol):
    """Has work carried out on the journal's thread."""

    def __call__(self, work: Callable[[], R]) -> Awaitable[R]: ...


class SqlClaims(ABC):
    """Implements `Claims`, for the node `me()`."""

    def __init__(self, database: Database, me: Callable[[], int | None], write: OnThread) -> None:
        self._database = database
        self._me = me
        self._write = write

    async def claim(self, agents: Sequence[str], most: int, per_user: int) -> Sequence[ClaimedRun]:
        return await self._write(partial(self._claimed, list(agents), most, per_user))

    async def withdraw(self, agent: str, late: float | None) -> Withdrawn:
        return await self._write(partial(self._withdrawn, agent, late))

    @abstractmethod
    def _claim(self, agents: list[str], most: int, per_user: int) -> None:
        """Have the runs that `claim` takes."""

    @abstractmethod
    def _withdraw(self, agent: str, late: float | None) -> bool:
        """Have the runs that `withdraw` takes. Returns whether there is a worker."""

    def _claimed(self, agents: list[str], most: int, per_user: int) -> list[ClaimedRun]:
        self._claim(agents, most, per_user)
        return self._mine()

    def _withdrawn(self, agent: str, late: float | None) -> Withdrawn:
        return Withdrawn(self._withdraw(agent, late), self._mine())

    def _mine(self) -> list[ClaimedRun]:
        rows = self._database.execute(_MINE, (self._me(),)).fetchall()
        return [
            ClaimedRun(UserId.trusted(user), RunId.trusted(run), bool(stopped))
            for user, run, stopped in cast("list[tuple[str, str, int]]", rows)
        ]
