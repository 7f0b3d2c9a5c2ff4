"""The steps of retention in Postgres. Its autovacuum gives the room back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.postgres.store import PostgresStore
from greenroom.delivery.journal.retention.cutoffs import Cutoffs, SweepTally, SweptTo
from greenroom.delivery.journal.retention.sql_sweeper import SqlSweeper


class PostgresSweeper(SqlSweeper):
    """A step does not wait for the server's disk: a power cut may undo it, and the next pass does
    it again."""

    def __init__(self, database: PostgresDatabase, store: PostgresStore) -> None:
        super().__init__(database, store)
        self._postgres = database

    def _space(self, _: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo | None:
        return None

    @contextmanager
    def _lightly(self) -> Iterator[None]:
        connection = self._postgres.connection
        connection.set("synchronous_commit", "off")
        try:
            yield
        finally:
            connection.reset("synchronous_commit")
