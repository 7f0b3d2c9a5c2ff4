"""The runs of a user that are left to workers: as many wait and run as would on one node."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Protocol

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import RUN_ENDS, Record
from greenroom.delivery.user.runs.run_queue import TooManyRuns


class Places(Protocol):
    """Where the run of a message takes a place before the message is kept."""

    def enter(self, run: RunId) -> None:
        """Take a place. Raises `TooManyRuns`."""

    def leave(self, run: RunId) -> None:
        """Give the place up."""


class QueuedRuns:
    """The user's open runs for workers, as this node knows the log: at most `most`. An append is
    refused where the log has gone on, so what this node knows is all there is when one is kept."""

    __slots__ = ("_entered", "_most", "_runs")

    def __init__(self, runs: Iterable[RunId], most: int) -> None:
        self._runs = set(runs)
        self._entered: dict[RunId, None] = {}  # whose message is not kept yet, in order
        self._most = most

    def enter(self, run: RunId) -> None:
        if len(self._runs) >= self._most:
            raise self.refusal()
        self._runs.add(run)
        self._entered[run] = None

    def leave(self, run: RunId) -> None:
        self._runs.discard(run)
        self._entered.pop(run, None)

    def surplus(self) -> Set[RunId]:
        """The runs whose messages must not be kept, since other nodes were first."""
        entered = list(self._entered)
        excess = max(0, len(self._runs) - self._most)
        return frozenset(entered[max(0, len(entered) - excess) :])

    def refusal(self) -> TooManyRuns:
        """The error for a run that has no place."""
        return TooManyRuns(
            f"a user may have at most {self._most} running and waiting runs",
            advice="send the message again after a run has ended",
        )

    def kept(self, record: Record) -> None:
        """A record is durable, this node's or another one's."""
        if record.kind is Kind.USER_SAID and record.say is not None:
            self._runs.add(record.run)
            self._entered.pop(record.run, None)
        elif record.kind in RUN_ENDS:
            self._runs.discard(record.run)
