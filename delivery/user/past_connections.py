"""How the latest connections of each user ended, and which were refused (pure)."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import attrs

from greenroom.delivery.events.ids import ConnectionId, SessionId, UserId

USERS: Final = 2_000
EACH: Final = 8


@attrs.frozen
class PastConnection:
    """A connection that ended; one without an id was refused. `code`: the close code; `at`: when,
    in seconds since the Unix epoch; `session`: None unless it was ready once; `given_up`: its
    breaker had opened, and its last trial was not answered; `meaning`: of the code, in words."""

    at: float
    code: int
    by_server: bool
    connection: ConnectionId | None = None
    session: SessionId | None = None
    given_up: bool = False
    meaning: str = ""

    @property
    def closing(self) -> str:
        """The close code, with its meaning if that is known."""
        return f"{self.code} ({self.meaning})" if self.meaning else str(self.code)


class PastConnections:
    """The newest `each` of every user; of at most `users` users, those whose last is newest.

    For operators who look in: it is kept in memory only.
    """

    __slots__ = ("_each", "_most", "_users")

    def __init__(self, users: int = USERS, each: int = EACH) -> None:
        self._most = users
        self._each = each
        self._users: OrderedDict[UserId, deque[PastConnection]] = OrderedDict()

    def note(self, user: UserId, past: PastConnection) -> None:
        """Keep it as the user's newest."""
        self._users.setdefault(user, deque(maxlen=self._each)).append(past)
        self._users.move_to_end(user)
        if len(self._users) > self._most:
            self._users.popitem(last=False)

    def of(self, user: UserId) -> tuple[PastConnection, ...]:
        """The user's, oldest first."""
        return tuple(self._users.get(user, ()))

    def forget(self, user: UserId) -> None:
        """Keep nothing of the user."""
        self._users.pop(user, None)
