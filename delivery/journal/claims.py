"""The queue of runs that wait for a worker, as a node sees it (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from greenroom.delivery.events.ids import RunId, UserId


@attrs.frozen
class ClaimedRun:
    """An open run that came out of the queue, and is this node's. `stopped`: by the user."""

    user: UserId
    run: RunId
    stopped: bool


@attrs.frozen
class Withdrawn:
    """The runs that a node withdrew, to end them. `attended`: whether there is a worker."""

    attended: bool
    runs: Sequence[ClaimedRun]


class Claims(Protocol):
    """What nodes take out of the queue. Both answers have all open runs that came from there and
    are this node's, also those of earlier calls. Raises `JournalError`s."""

    async def claim(self, agents: Sequence[str], most: int, per_user: int) -> Sequence[ClaimedRun]:
        """Take runs of these agents, until this worker has `most`, and workers together have
        `per_user` of each user; those of users with few runs first, and the oldest of them."""
        ...

    async def withdraw(self, agent: str, late: float | None) -> Withdrawn:
        """Take the runs of this agent that their users stopped; and those that have waited for
        `late` seconds, if no worker has the agent."""
        ...
