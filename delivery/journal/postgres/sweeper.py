"""The steps of retention in Postgres. Its autovacuum gives the room back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from greenroom.delivery.journal.retention.cutoffs import Cutoffs, SweepTally, SweptTo
from greenroom.delivery.journal.retention.sql_sweeper import SqlSweeper


class PostgresSweeper(SqlSweeper):
    """A step does not wait for the server's disk: a power cut may undo it, and the next pass does
    it again."""

    def _space(self, _: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo | None:
        return None

    @contextmanager
    def _lightly(self) -> Iterator[None]:
        self._database.execute("SET synchronous_commit TO off")
        try:
            yield
        finally:
            self._database.execute("RESET synchronous_commit")
