"""What a node takes out of the queue of runs in Postgres, on the journal's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.sql.nodes.claims import OnThread, SqlClaims

_CLAIM: Final = "SELECT claim(%s, %s, %s, %s)"
_WITHDRAW: Final = "SELECT withdraw(%s, %s, %s)"


class PostgresClaims(SqlClaims):
    """Functions in the database claim, one after the other."""

    def __init__(
        self, database: PostgresDatabase, me: Callable[[], int | None], write: OnThread
    ) -> None:
        super().__init__(database, me, write)
        self._postgres = database

    def _claim(self, agents: list[str], most: int, per_user: int) -> None:
        self._postgres.connection.execute(_CLAIM, (self._me(), agents, most, per_user))

    def _withdraw(self, agent: str, late: float | None) -> bool:
        found = self._postgres.connection.execute(_WITHDRAW, (self._me(), agent, late)).fetchone()
        return found is not None and bool(found[0])
