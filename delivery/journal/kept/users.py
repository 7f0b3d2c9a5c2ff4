"""The users of a journal in memory, and a user's sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Cursor
from greenroom.delivery.journal.kept.user_log import UserLog


@attrs.frozen
class MemoryUsers:
    """Implements `UserReads`."""

    users: Mapping[UserId, UserLog]

    def page(self, begins: str, after: UserId | None, limit: int) -> Sequence[UserId]:
        known = (user for user, log in self.users.items() if log.last or log.cursors)
        found = sorted(user for user in known if user.startswith(begins))
        return [user for user in found if user > (after or "")][:limit]

    def sessions(self, user: UserId, limit: int) -> Sequence[Cursor]:
        log = self.users.get(user)
        cursors = log.cursors.values() if log else ()
        return sorted(cursors, key=lambda cursor: (-cursor.at, cursor.session))[:limit]
