"""Runs that go on after their server was lost: what the journal keeps of them (pure)."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import TERMINAL, Kind


@attrs.frozen
class GoesOn:
    """An open run is to be taken up again if it is lost, by the agent of this name. `queued`: a
    worker is to begin it, where there are workers.

    Kept with the `user_said` that opens the run, and forgotten when the run ends. The journal
    counts the `agent_started` events of such a run as its attempts.
    """

    user: UserId
    run: RunId
    agent: str
    queued: bool = False


@attrs.frozen
class NotAgain:
    """The user stopped an open run: it is not taken up again, whatever happens to the server."""

    user: UserId
    run: RunId


@attrs.frozen
class StepResult:
    """The result of a step of an open run, as JSON. The first one of a key counts, and a run that
    has ended keeps none. `at`: ms since the epoch."""

    user: UserId
    run: RunId
    key: str
    value: str = attrs.field(metadata=SECRET)
    at: int


@attrs.frozen
class GoingOn:
    """An open run that goes on: how many attempts have begun, and when the last one did (ms)."""

    run: RunId
    agent: str
    attempt: int
    at: int
    stopped: bool


class RunsGoingOn:
    """Follows a user's records, as a journal does: which open runs go on, and their attempts."""

    __slots__ = ("_runs",)

    def __init__(self, runs: Iterable[GoingOn] = ()) -> None:
        self._runs = {run.run: run for run in runs}

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, run: RunId) -> GoingOn:
        return self._runs[run]

    def get(self, run: RunId) -> GoingOn | None:
        return self._runs.get(run)

    def keep(self, entry: GoesOn | NotAgain) -> None:
        """The run must be open."""
        if isinstance(entry, GoesOn):
            new = GoingOn(entry.run, entry.agent, 0, 0, stopped=False)
            self._runs.setdefault(entry.run, new)
        elif known := self._runs.get(entry.run):
            self._runs[entry.run] = attrs.evolve(known, stopped=True)

    def kept(self, kind: Kind, run: RunId, at: int) -> None:
        """A record was kept; what begins an attempt counts, and what ends a run forgets it."""
        if kind in TERMINAL:
            self._runs.pop(run, None)
        elif kind is Kind.AGENT_STARTED and (known := self._runs.get(run)):
            self._runs[run] = attrs.evolve(known, attempt=known.attempt + 1, at=at)
