"""Runs that go on are taken up when a server starts, not only when their users come back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question, Reads

logger = logging.getLogger("greenroom.delivery")

USERS_AT_ONCE = 100
TAKE_UP_SECONDS = 1.0
"""Seconds until users that could not be served are tried again."""


@attrs.frozen
class ReadUsersGoingOn(Question[list[UserId]]):
    """A page of the users with runs that go on."""

    after: UserId | None
    limit: int

    def answer(self, reads: Reads) -> list[UserId]:
        return reads.runs.users_going_on(self.after, self.limit)


@attrs.frozen
class TakeUp:
    """Serves each user with runs that go on once: the user's actor takes them up."""

    journal: Journal
    lease: Callable[[UserId], AbstractAsyncContextManager[object]]

    async def run(self) -> None:
        """Run this as a child of the tree. It returns once every such user was served."""
        while not await self._serve_all():  # noqa: ASYNC110  # a journal does not announce it
            await trio.sleep(TAKE_UP_SECONDS)

    async def _serve_all(self) -> bool:
        after: UserId | None = None
        failed: list[UserId] = []
        while (page := await self._read(after)) is not None:
            if not page:
                return not failed
            async with trio.open_nursery() as nursery:
                for user in page:
                    nursery.start_soon(self._serve, user, failed)
            after = page[-1]
        return False

    async def _read(self, after: UserId | None) -> list[UserId] | None:
        try:
            return await self.journal.ask(ReadUsersGoingOn(after, USERS_AT_ONCE)).wait()
        except GreenroomError as error:
            logger.warning("could not look for runs that go on: %s", error)
            return None

    async def _serve(self, user: UserId, failed: list[UserId]) -> None:
        try:
            async with self.lease(user):
                pass
        except GreenroomError as error:
            failed.append(user)
            logger.warning("user %r: runs were not taken up: %s", str(user), error)
