"""The overdue events of inactive users: the journal finds them, the users' actors settle them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import trio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import Policies
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.nodes import leads
from greenroom.delivery.journal.undelivered import OverdueUsers, SearchedTo
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import SettleAll

logger = logging.getLogger("greenroom.delivery")

SWEEP_SECONDS, SWEEP_USERS, SETTLE_SECONDS = 60.0, 100, 60.0
"""Seconds between two searches for overdue events of inactive users, users settled at once, and
seconds that one of them may take."""

DUE_USERS: Final = 10_000
"""Inactive users of whom is known when their next event is due."""


class UsersAtHand(Protocol):
    """What a sweep needs of `Users`."""

    def lease(self, user: UserId) -> AbstractAsyncContextManager[UserHandle]: ...
    def is_known(self, user: UserId) -> bool: ...
    async def stop_if_idle(self, user: UserId) -> None: ...


class OverdueSweep:
    """Starts users who have something overdue, one after the other, and has them settle it.

    It remembers until when a user has nothing due: a run's long policy does not have its user
    started at each sweep. `now_ms`: the wall clock.
    """

    def __init__(
        self, users: UsersAtHand, policies: Policies, journal: Journal, now_ms: Callable[[], int]
    ) -> None:
        self._users = users
        self._policies = policies
        self._journal = journal
        self._now_ms = now_ms
        self._next_due: dict[UserId, int] = {}

    def forget(self, user: UserId) -> None:
        """The user is started, and may get events that are due sooner."""
        self._next_due.pop(user, None)

    async def run(self) -> None:
        """Settle the overdue events of inactive users, and record in the journal that a server is
        running."""
        while True:
            looked = trio.current_time()
            await trio.sleep(SWEEP_SECONDS)
            await self._tell_alive(trio.current_time() - looked)
            if not leads(self._journal):
                continue
            for event_class, policy in self._policies.items():
                before = self._now_ms() - round(policy.expires_after * 1000)
                await self._settle_class(event_class, before)
            await self.settle_runs()

    async def _settle_class(self, event_class: EventClass, before: int) -> None:
        """`SWEEP_USERS` at a time: each is a whole subtree while it settles."""
        after: SearchedTo | None = None
        while (found := await self._overdue(event_class, before, after)) is not None:
            await self._settle_all(found.users)
            if (after := found.after) is None:
                return

    async def settle_runs(self) -> None:
        """Settle the events of runs with policies of their own: the users whose events are settled
        make room for the next ones, until all that are found are found again."""
        before: Sequence[UserId] = ()
        while (users := await self._due_by_runs()) and users != before:
            await self._settle_all(users)
            before = users

    async def _due_by_runs(self) -> Sequence[UserId]:
        try:
            return await self._journal.policies_due(before=self._now_ms(), limit=SWEEP_USERS)
        except GreenroomError as error:
            logger.warning("could not search for overdue events of runs: %s", error)
            return ()

    async def _settle_all(self, users: Iterable[UserId]) -> None:
        """A user of whom nothing is due yet, by the policies of runs, is left alone."""
        now = self._now_ms()
        due = [user for user in users if self._next_due.get(user, now) <= now]
        async with trio.open_nursery() as nursery:
            for user in due:
                nursery.start_soon(self._settle_away, user)

    async def _settle_away(self, user: UserId) -> None:
        """A user started only for this is stopped again, unless it was leased meanwhile."""
        was_active = self._users.is_known(user)
        try:
            async with self._users.lease(user) as handle:
                next_due = await handle.actor.ask(SettleAll(), timeout=SETTLE_SECONDS)
                self._note_due(user, next_due)
        except GreenroomError as error:
            logger.warning("user %r: overdue events were not settled: %s", str(user), error)
        if not was_active:
            await self._users.stop_if_idle(user)

    def _note_due(self, user: UserId, next_due: int | None) -> None:
        if next_due is not None:
            if len(self._next_due) >= DUE_USERS:
                del self._next_due[next(iter(self._next_due))]
            self._next_due[user] = next_due

    async def _overdue(
        self, event_class: EventClass, before: int, after: SearchedTo | None
    ) -> OverdueUsers | None:
        try:
            return await self._journal.overdue(
                event_class, before=before, after=after, limit=SWEEP_USERS
            )
        except GreenroomError as error:
            logger.warning("could not search for overdue events: %s", error)
            return None

    async def _tell_alive(self, after: float) -> None:
        now, after_ms = self._now_ms(), round(after * 1000)
        try:
            await self._journal.alive(now, after=after_ms)
        except GreenroomError as error:
            logger.warning("could not record in the journal that a server is running: %s", error)
