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
    """At most `limit` sessions of each role; past it the oldest of that role ends."""

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
        self._open = {role: OrderedDict[bytes, VisitorSession]() for role in Role}

    def open(self, role: Role) -> tuple[str, VisitorSession]:
        """A new session, and the key that its cookie holds."""
        self._forget(role, self._limit - 1)
        key = self._new_secret()
        session = VisitorSession(role, self._new_secret(), self._clock() + LIFETIME)
        self._open[role][_digest(key)] = session
        return key, session

    def find(self, key: str) -> VisitorSession | None:
        """The session of this key, until it expires."""
        digest = _digest(key)
        for role, sessions in self._open.items():
            self._forget(role, self._limit)
            if (session := sessions.get(digest)) is not None:
                return session
        return None

    def end(self, key: str) -> None:
        """Forget the session, if there is one of this key."""
        for sessions in self._open.values():
            sessions.pop(_digest(key), None)

    def _forget(self, role: Role, limit: int) -> None:
        """All live equally long, so the oldest expires first."""
        sessions = self._open[role]
        while sessions:
            oldest = next(iter(sessions.values()))
            if len(sessions) <= limit and oldest.expires_at > self._clock():
                return
            sessions.popitem(last=False)


def _digest(key: str) -> bytes:
    """Sessions are found by it: how long a look-up takes says nothing of the keys there are."""
    return hashlib.sha256(key.encode()).digest()
