"""What the statements of `sql/` do otherwise with a copy of Redis."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.delivery.journal.sql.rows import Write
from greenroom.delivery.journal.sql.store import SqlStore


class RedisStore(SqlStore):
    """All that is written is written in a transaction, which Redis keeps as a whole."""

    def _write(self, writes: Sequence[Write]) -> None:
        if writes:
            with self._transaction():
                self._carry_out(writes)
