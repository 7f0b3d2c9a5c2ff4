"""Sessions of visitors who look in with a browser: in memory, bounded, gone with the process."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import attrs

from greenroom.visitors import Role

LIFETIME: Final = 8 * 3600.0
MOST_SESSIONS: Final = 100


@attrs.frozen
class VisitorSession:
    """`csrf`: what every request that changes something has to repeat. `expires_at`: in seconds
    since the Unix epoch."""

    role: Role
    csrf: str = attrs.field(repr=False)
    expires_at: float


class VisitorSessions:
    """At most `limit` sessions; past it the oldest ends."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        new_secret: Callable[[], str] = secrets.token_urlsafe,
        limit: int = MOST_SESSIONS,
    ) -> None:
        self._clock = clock
        self._new_secret = new_secret
        self._limit = limit
        self._open: OrderedDict[bytes, VisitorSession] = OrderedDict()

    def open(self, role: Role) -> tuple[str, VisitorSession]:
        """A new session, and the key that its cookie holds."""
        self._forget(self._limit - 1)
        key = self._new_secret()
        session = VisitorSession(role, self._new_secret(), self._clock() + LIFETIME)
        self._open[_digest(key)] = session
        return key, session

    def find(self, key: str) -> VisitorSession | None:
        """The session of this key, until it expires."""
        self._forget(self._limit)
        return self._open.get(_digest(key))

    def end(self, key: str) -> None:
        """Forget the session, if there is one of this key."""
        self._open.pop(_digest(key), None)

    def _forget(self, limit: int) -> None:
        """All live equally long, so the oldest expires first."""
        while self._open:
            oldest = next(iter(self._open.values()))
            if len(self._open) <= limit and oldest.expires_at > self._clock():
                return
            self._open.popitem(last=False)


def _digest(key: str) -> bytes:
    """Sessions are found by it: how long a look-up takes says nothing of the keys there are."""
    return hashlib.sha256(key.encode()).digest()
