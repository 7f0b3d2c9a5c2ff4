"""Runs that go on after their server was lost: what the journal keeps of them (pure)."""

from __future__ import annotations

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import RunId, UserId


@attrs.frozen
class GoesOn:
    """An open run is to be taken up again if it is lost, by the agent of this name.

    Kept with the `user_said` that opens the run, and forgotten when the run ends. The journal
    counts the `agent_started` events of such a run as its attempts.
    """

    user: UserId
    run: RunId
    agent: str


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
