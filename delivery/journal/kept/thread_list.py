"""The threads of users in the memory of a journal."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.events.threads import Thread, ThreadsPage
from greenroom.delivery.journal.kept.threads import ThreadsKept
from greenroom.delivery.journal.kept.user_log import UserLog, owner_of


@attrs.frozen
class MemoryThreads:
    """Implements `ThreadReads`."""

    users: Mapping[UserId, UserLog]

    def page(
        self, user: UserId, before: int | ThreadId | None, limit: int, *, archived: bool
    ) -> ThreadsPage:
        return self._kept(user).page(before, limit, archived=archived)

    def find(self, user: UserId, thread: ThreadId) -> Thread | None:
        return self._kept(user).find(thread)

    def owner(self, thread: ThreadId) -> UserId | None:
        return owner_of(thread, self.users)

    def _kept(self, user: UserId) -> ThreadsKept:
        log = self.users.get(user)
        return log.threads if log else ThreadsKept()
