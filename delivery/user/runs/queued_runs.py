"""The runs of a user that are left to workers: as many wait and run as would on one node."""

from __future__ import annotations

from collections.abc import Iterable
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
    """The user's open runs for workers, as this node knows the log: at most `most`, but for what
    other nodes keep at the same moment."""

    __slots__ = ("_most", "_runs")

    def __init__(self, runs: Iterable[RunId], most: int) -> None:
        self._runs = set(runs)
        self._most = most

    def enter(self, run: RunId) -> None:
        if len(self._runs) >= self._most:
            raise TooManyRuns(
                f"a user may have at most {self._most} running and waiting runs",
                advice="send the message again after a run has ended",
            )
        self._runs.add(run)

    def leave(self, run: RunId) -> None:
        self._runs.discard(run)

    def kept(self, record: Record) -> None:
        """A record is durable, this node's or another one's."""
        if record.kind is Kind.USER_SAID and record.say is not None:
            self._runs.add(record.run)
        elif record.kind in RUN_ENDS:
            self._runs.discard(record.run)
