"""A connection to Postgres, or to a pooler that gives each transaction another session of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import IsolationLevel
from psycopg.abc import Params
from psycopg.pq import TransactionStatus
from psycopg.sql import Literal

SCHEMA: Final = "greenroom"

# The server, too, must notice that a client has gone: until then the client's lock is held.
_OF_A_SESSION: Final = f"""
    SET search_path TO {SCHEMA};
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 3;
    SET tcp_keepalives_count = 3
"""
_ONLY_READ: Final = """
    SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY
"""


OTHER_JOURNAL: Final = "another journal"
"""Stands in the error of a transaction whose journal has another epoch than was expected."""

_EXPECT: Final = f"""
    CAST(CASE WHEN (SELECT value FROM {SCHEMA}.meta WHERE name = 'epoch') = {{}}
        THEN '0' ELSE '{OTHER_JOURNAL}' END AS INTEGER)
"""


class JournalConnection(psycopg.Connection[Any]):
    """Finds the journal's tables, once it is `set_up`.

    A direct connection has its settings in its session. Behind PgBouncer in transaction mode each
    transaction may be in another session, and what one sets, the next client finds
    (https://www.pgbouncer.org/features.html#sql-feature-map-for-pooling-modes). There each
    statement is in a transaction, and each transaction begins with the settings. A connection to a
    pooler also outlives the server behind it: see `expect`.
    """

    is_pooled = False
    _beginning: dict[str, str]

    def set_up(self) -> None:
        """Find out whether a pooler is between: it gives its clients numbers of its own."""
        row = super().execute("SELECT pg_backend_pid()").fetchone()
        if row is not None and row[0] == self.info.backend_pid:
            self.execute(_OF_A_SESSION)
        else:
            self.is_pooled = True
            self._beginning = {}
            self.set("search_path", SCHEMA)
            self.prepare_threshold = None

    def set(self, name: str, value: str) -> None:
        """Let a setting hold from now on."""
        if self.is_pooled:
            self._beginning[name] = f"set_config('{name}', '{value}', true)"
        else:
            self.execute(f"SET {name} TO {value}".encode())

    def reset(self, name: str) -> None:
        """Let the server's own hold again."""
        if self.is_pooled:
            del self._beginning[name]
        else:
            self.execute(f"RESET {name}".encode())

    def only_read(self) -> None:
        """From now on each transaction sees one state, and writes nothing."""
        if self.is_pooled:
            self.isolation_level, self.read_only = IsolationLevel.REPEATABLE_READ, True
        else:
            self.execute(_ONLY_READ)

    def expect(self, epoch: str) -> None:
        """From now on carry out nothing in a journal with another epoch. A direct connection ends
        with its server; the next one is checked when it is made."""
        if self.is_pooled:
            self._beginning["epoch"] = _EXPECT.format(Literal(epoch).as_string(self))

    @property
    def is_bare(self) -> bool:
        """Whether a statement needs a transaction around it, and is in none."""
        return self.is_pooled and self.info.transaction_status == TransactionStatus.IDLE

    @property
    def beginning(self) -> str:
        """What each transaction begins with."""
        return "SELECT " + ", ".join(self._beginning.values())

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        is_bare = self.is_bare
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if is_bare:
                super().execute(self.beginning.encode())
            yield transaction

    def execute(
        self,
        query: Any,  # in psycopg it is overloaded
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool = False,
    ) -> psycopg.Cursor[Any]:
        if not self.is_bare:
            return super().execute(query, params, prepare=prepare, binary=binary)
        with self.transaction():
            return super().execute(query, params, prepare=prepare, binary=binary)
