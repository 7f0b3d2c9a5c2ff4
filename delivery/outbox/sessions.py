"""What each session of a user was sent and has received (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from greenroom.delivery.events.ids import SessionId, UserId
from greenroom.delivery.events.record import Cursor


@attrs.define
class Reach:
    """What a session has: everything past `start` through `acked`; it was sent through `sent`.

    `handed`: what connections of it that are gone were handed through, in this process.
    """

    start: int
    acked: int
    sent: int
    handed: int = 0


class Sessions:
    """The reach of the newest `remembered` sessions, and whose cursor is to be written.

    A session is not forgotten while it is attached or its cursor is not durable. The journal
    knows the cursors of the others.
    """

    def __init__(self, remembered: int, reach: dict[SessionId, Reach], born: int = 0) -> None:
        """`reach` is what an earlier outbox of the user left behind; it is kept up to date.
        `born`: the last offset there was before this one, whose end the earlier ones may not have
        noted."""
        self._born = born
        self._remembered = remembered
        self._reach = reach
        self._moved = set(reach)  # what the earlier one had not written yet is not known
        self._in_flight: set[SessionId] = set()

    @property
    def moved(self) -> bool:
        """Cursors wait to be written."""
        return bool(self._moved)

    def cursor(self, session: SessionId) -> int | None:
        """What a remembered session has received through; None for others."""
        reach = self._reach.get(session)
        return None if reach is None else reach.acked

    def acked(self, session: SessionId) -> int:
        """What an attached session has received through."""
        return self._reach[session].acked

    def believable(self, session: SessionId, known: Cursor | None) -> int:
        """The furthest that a session can have got without an acknowledgement that is known here.
        `known`: the journal's, for one that is not remembered."""
        if reach := self._reach.get(session):
            return max(self._born, reach.sent, reach.handed)
        return max(self._born, known.sent if known else 0)

    def received(self, offset: int) -> bool:
        """Some remembered session has received this event."""
        return any(reach.start < offset <= reach.acked for reach in self._reach.values())

    def cursors(self, user: UserId, at: int) -> Iterator[Cursor]:
        """What is known of every remembered session."""
        return (self._cursor(user, session, at) for session in self._reach)

    def resume(
        self,
        session: SessionId,
        offset: int,
        attached: Iterable[SessionId],
        known: Cursor | None = None,
    ) -> None:
        """The session goes on from here, and so has what came before. `known`: the journal's."""
        if session not in self._reach:
            if known is None:
                self.begin(session, offset, attached)
                return
            self._make_room({*attached, session})
            self._reach[session] = Reach(known.start, known.offset, known.sent)
        self.receive(session, offset)

    def begin(self, session: SessionId, offset: int, attached: Iterable[SessionId]) -> None:
        """The session has nothing yet, and begins here."""
        self._make_room({*attached, session})
        self._reach[session] = Reach(offset, offset, offset)
        self._moved.add(session)

    def receive(self, session: SessionId, offset: int) -> bool:
        """Cumulative: it never goes back. False when that is not new."""
        reach = self._reach[session]
        if offset <= reach.acked:
            return False
        reach.acked = offset
        reach.sent = max(reach.sent, offset)
        self._moved.add(session)
        return True

    def send(self, session: SessionId, through: int) -> None:
        """Everything through here was written to a socket of the session."""
        reach = self._reach[session]
        if through > reach.sent:
            reach.sent = through
            self._moved.add(session)

    def hand(self, session: SessionId, through: int) -> None:
        """A connection of the session that ends was handed everything through here."""
        reach = self._reach[session]
        reach.handed = max(reach.handed, through)

    def take_cursors(self, user: UserId, at: int) -> Iterator[Cursor]:
        """The cursors to write now; `written` or `not_written` says how it went."""
        self._in_flight, self._moved = self._moved, set()
        return (self._cursor(user, session, at) for session in sorted(self._in_flight))

    def written(self) -> None:
        self._in_flight = set()

    def not_written(self) -> None:
        self._moved |= self._in_flight
        self._in_flight = set()

    def _cursor(self, user: UserId, session: SessionId, at: int) -> Cursor:
        reach = self._reach[session]
        return Cursor(user, session, reach.start, reach.acked, reach.sent, at)

    def _make_room(self, needed: set[SessionId]) -> None:
        excess = len(self._reach) - self._remembered + 1
        if excess > 0:
            needed |= self._moved | self._in_flight
            for session in [each for each in self._reach if each not in needed][:excess]:
                del self._reach[session]
