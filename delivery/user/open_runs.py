"""The runs of a user that have begun and not ended, and those that nobody will end (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS, OpenRun, Record


class OpenRuns:
    """Follows the journal record by record, so that no run is left open for the user.

    A run that was *left* (its code is gone) and is still open is due to be ended. It stays so
    until its end is durable.
    """

    def __init__(self, runs: Iterable[OpenRun]) -> None:
        """`runs` are open already, the first begun first."""
        self._open = {run.run: run for run in runs}
        self._left: dict[RunId, Draft | None] = {}

    def __iter__(self) -> Iterator[RunId]:
        return iter(tuple(self._open))

    @property
    def any_left(self) -> bool:
        """Some run was left and may have to be ended."""
        return bool(self._left)

    def kept(self, record: Record) -> None:
        """A record is durable."""
        if record.kind in RUN_OPENS:
            run = OpenRun(record.run, record.thread, record.parent, record.request)
            self._open.setdefault(record.run, run)
        elif record.kind in RUN_ENDS:
            self._open.pop(record.run, None)
            self._left.pop(record.run, None)

    def leave(self, run: RunId, words: Draft | None = None) -> None:
        """Nobody will end this run; `words` is the end it could not get kept."""
        self._left[run] = words or self._left.get(run)

    def due(self, under_way: Set[RunId]) -> list[tuple[OpenRun, Draft | None]]:
        """The runs to end now, the last begun first: so a sub-run ends before the run it is a
        part of. While one has events under way none is due: what it is decided by is not kept."""
        for run in [
            each for each in self._left if each not in under_way and each not in self._open
        ]:
            del self._left[run]
        if not under_way.isdisjoint(self._left):
            return []
        return [
            (self._open[run], self._left[run]) for run in reversed(self._open) if run in self._left
        ]
