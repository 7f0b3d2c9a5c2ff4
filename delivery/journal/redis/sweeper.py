"""The steps of retention in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from greenroom.delivery.journal.retention.cutoffs import Cutoffs, SweepTally, SweptTo
from greenroom.delivery.journal.retention.sql_sweeper import SqlSweeper


class RedisSweeper(SqlSweeper):
    """Each change of a step is a commit; Redis gives the room back itself."""

    def _space(self, _: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo | None:
        return None

    @contextmanager
    def _lightly(self) -> Iterator[None]:
        yield
