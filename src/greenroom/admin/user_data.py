"""What a service does with all that is kept of a user: list threads, export, erase."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Final

from greenroom.admin.crashes.reports import CrashReports
from greenroom.admin.disconnecting import UserAccess
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.history.explanation import FailureExplanation, explain
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.log_context import bound
from greenroom.delivery.threads import Threads
from greenroom.delivery.user.users import Users
from greenroom.delivery.user_data import export_user

REASON: Final = "your data was erased"
"""The reason that clients see. They may come back, as those of a new user."""

logger = logging.getLogger("greenroom")


class UserData(UserAccess):
    """The part of a runtime that answers for users and what is kept of them."""

    users: Users
    journal: Journal
    _crash_reports: CrashReports

    def threads(self, *, user: str) -> Threads:
        """A user's threads: list, name, archive or erase them. Raises `BadId`."""
        return Threads(self.users, self.journal, UserId.parse(user))

    async def explain(self, reference: str) -> FailureExplanation:
        """What failed behind a reference that a user was shown.

        Raises `BadId`, `UnknownEvent`, or a `JournalError`.
        """
        return await explain(self.journal, reference)

    def export_user(self, user: str) -> AsyncIterator[bytes]:
        """All that is kept of a user, as JSON Lines: see `greenroom users export`. Raises `BadId`,
        and a `JournalError`."""
        return export_user(self.journal, UserId.parse(user))

    async def erase_user(self, user: str) -> None:
        """Erase all that is kept of a user, for good. Live connections are closed first, and live
        runs cancelled. Raises `BadId`, and a `JournalError`: what it left, another call erases."""
        known = UserId.parse(user)
        disconnect = self._disconnects.disconnect
        await disconnect(known, reason=REASON, reconnect=True, cancel_runs=True)
        async with self._crash_reports.keeper.forgetting(known):
            await self.users.erase(known)
        with bound(user=str(known)):
            logger.info("all that was kept of the user is erased")
