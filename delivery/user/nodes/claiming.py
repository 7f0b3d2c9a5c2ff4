"""Takes runs out of the queue: a worker to begin them, other nodes to end what is not begun."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, Never, Protocol

import attrs
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.journal.nodes import ClaimedRun, Claims, Nodes
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.nodes.following import LOOK_SECONDS, OFTEN_SECONDS
from greenroom.delivery.user.nodes.messages import RunsTakenOver

SERVE_SECONDS: Final = 5.0
"""Seconds that the start of a user's actors may hold up the other claims."""

logger = logging.getLogger("greenroom.delivery")


class Source(Protocol):
    """What a node takes out of the queue."""

    async def take(self) -> Sequence[ClaimedRun]:
        """All open runs that this node has taken, now or before. Raises `JournalError`s."""
        ...


@attrs.frozen
class Worker:
    """A worker's: runs of its `agents`, at most `most` at once, and workers together at most
    `per_user` of a user. While it drains it takes none."""

    claims: Claims
    agents: Sequence[str]
    most: int
    per_user: int
    is_draining: Callable[[], bool]

    async def take(self) -> Sequence[ClaimedRun]:
        most = 0 if self.is_draining() else self.most
        return await self.claims.claim(self.agents, most, self.per_user)


@attrs.define
class Withdrawal:
    """Every other node's: runs of this agent that their users stopped; and those that have waited
    for `seconds`, if there was no worker for as long."""

    claims: Claims
    agent: str | None
    seconds: float
    _attended_at: float = attrs.field(factory=trio.current_time)

    async def take(self) -> Sequence[ClaimedRun]:
        if self.agent is None:  # it has no agent
            return ()
        is_late = trio.current_time() - self._attended_at >= self.seconds
        found = await self.claims.withdraw(self.agent, self.seconds if is_late else None)
        if found.attended:
            self._attended_at = trio.current_time()
        return found.runs


class UsersClaimedFor(Protocol):
    """What is needed of `Users`."""

    def lease(self, user: UserId) -> AbstractAsyncContextManager[UserHandle]: ...
    def find(self, user: UserId) -> UserHandle | None: ...


@attrs.define
class Claiming:
    """Gives the runs to the actors of their users, which take them up or end them. Each look has
    all of them: what was lost on the way is found by the next one."""

    users: UsersClaimedFor
    nodes: Nodes
    source: Source
    _woken: trio.Event = attrs.field(factory=trio.Event)

    async def run(self) -> Never:
        """Run this as a child of the tree."""
        while True:
            self._woken = trio.Event()
            with suppress(GreenroomError):  # the journal tells of its trouble itself
                await self._look()
            with trio.move_on_after(LOOK_SECONDS if self.nodes.hears else OFTEN_SECONDS):
                await self._woken.wait()

    def wake(self) -> None:
        """Look now: a run waits, or there is room for another one."""
        self._woken.set()

    async def _look(self) -> None:
        to_give: dict[UserId, list[RunId]] = defaultdict(list)
        for each in await self.source.take():
            if not self._is_live(each):
                to_give[each.user].append(each.run)
        async with trio.open_nursery() as nursery:
            for user, runs in to_give.items():
                nursery.start_soon(self._give, user, runs)

    def _is_live(self, claimed: ClaimedRun) -> bool:
        """Whether it runs or waits here; one that was stopped meanwhile is cancelled."""
        handle = self.users.find(claimed.user)
        live = None if handle is None else handle.live_runs.get(claimed.run)
        if handle is not None and live is not None and claimed.stopped:
            handle.stopped.add(claimed.run)
            live.cancel()
        return live is not None

    async def _give(self, user: UserId, runs: Sequence[RunId]) -> None:
        try:
            with trio.move_on_after(SERVE_SECONDS):
                async with self.users.lease(user) as handle:
                    handle.actor.tell_owed(RunsTakenOver(runs))
        except GreenroomError as error:
            logger.warning("user %r: runs were not taken up: %s", str(user), error)
