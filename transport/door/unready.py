"""Bounds the sockets of a user that are open and not ready (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from greenroom.delivery.errors import TooManyConnections
from greenroom.delivery.events.ids import UserId


class UnreadySockets:
    """At most `limit` sockets of a user that are not `ready` yet, or are being closed.

    The user actor bounds the ready ones, at `hello`: only then is it known whether a socket
    takes the place of another. So a user holds twice the limit at most.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"`limit` must be at least 1 socket, not {limit}")
        self._limit = limit
        self._held: dict[UserId, int] = {}

    def place(self, user: UserId) -> UnreadyPlace:
        """A place for a socket of this user. Raises `TooManyConnections` if all are taken."""
        if self.held(user) >= self._limit:
            raise TooManyConnections(
                f"{self._limit} connections of user {str(user)!r} are opening or closing already"
            )
        place = UnreadyPlace(self, user)
        place.take()
        return place

    def held(self, user: UserId) -> int:
        """How many sockets of this user are not ready."""
        return self._held.get(user, 0)

    def _add(self, user: UserId, difference: int) -> None:
        self._held[user] = self.held(user) + difference
        if not self._held[user]:
            del self._held[user]


class UnreadyPlace:
    """One socket's place, held while it is not ready. It may be taken and released repeatedly."""

    __slots__ = ("_all", "_is_held", "_user")

    def __init__(self, among: UnreadySockets, user: UserId) -> None:
        self._all = among
        self._user = user
        self._is_held = False

    def take(self) -> None:
        """The socket opens, or is being closed: it counts, whatever the limit."""
        if not self._is_held:
            self._is_held = True
            self._all._add(self._user, 1)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Release the place if the block raises, since then no connection does."""
        try:
            yield
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """The socket is ready, or gone."""
        if self._is_held:
            self._is_held = False
            self._all._add(self._user, -1)
