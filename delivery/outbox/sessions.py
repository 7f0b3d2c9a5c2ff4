"""How far each session of a user was sent events, and how far it has received them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

import attrs

from greenroom.delivery.events.ids import SessionId, UserId
from greenroom.delivery.events.record import Cursor

NONE: Set[SessionId] = frozenset()


@attrs.define
class Reach:
    """A session has everything after `start` through `acked`; it was sent events through `sent`.

    `handed`: the last offset handed to its former connections, in this process.
    """

    start: int
    acked: int
    sent: int
    handed: int = 0


class Sessions:
    """The reach of the newest `remembered` sessions, and which cursors must be written.

    A session is not forgotten while it is attached or its cursor is not durable. The cursors of
    forgotten sessions are in the journal.
    """

    __slots__ = ("_born", "_in_flight", "_moved", "_reach", "_remembered", "_sent_more")

    def __init__(self, remembered: int, reach: dict[SessionId, Reach], born: int = 0) -> None:
        """`reach`: left behind by an earlier outbox of the user; it is updated in place. `born`:
        the last offset before this outbox, which earlier outboxes may have sent without noting."""
        self._born = born
        self._remembered = remembered
        self._reach = reach
        self._moved: Set[SessionId] = (
            frozenset(reach) if reach else NONE
        )  # perhaps not written before
        self._sent_more: Set[SessionId] = NONE  # and has received no more: that can wait
        self._in_flight: Set[SessionId] = NONE

    @property
    def moved(self) -> bool:
        """True if cursors wait to be written."""
        return bool(self._moved or self._sent_more)

    @property
    def has_received(self) -> bool:
        """True if cursors wait to be written that say that more was received."""
        return bool(self._moved)

    def cursor(self, session: SessionId) -> int | None:
        """The offset a remembered session has received through; None for other sessions."""
        reach = self._reach.get(session)
        return None if reach is None else reach.acked

    def acked(self, session: SessionId) -> int:
        """The offset an attached session has received through."""
        return self._reach[session].acked

    def believable(self, session: SessionId, known: Cursor | None) -> int:
        """The furthest offset a session can have received, acknowledged or not. `known`: its
        cursor in the journal, for a session that is not remembered."""
        if reach := self._reach.get(session):
            return max(self._born, reach.sent, reach.handed)
        return max(self._born, known.sent if known else 0)

    def received(self, offset: int) -> bool:
        """True if a remembered session has received this event."""
        return any(reach.start < offset <= reach.acked for reach in self._reach.values())

    def cursors(self, user: UserId, at: int) -> Iterator[Cursor]:
        """The cursor of every remembered session."""
        return (self._cursor(user, session, at) for session in self._reach)

    def resume(
        self,
        session: SessionId,
        offset: int,
        attached: Iterable[SessionId],
        known: Cursor | None = None,
    ) -> None:
        """The session continues after `offset`, so it has received everything up to there.
        `known`: its cursor in the journal."""
        if session not in self._reach:
            if known is None:
                self.begin(session, offset, attached)
                return
            self._make_room({*attached, session})
            self._reach[session] = Reach(known.start, known.offset, known.sent)
        self.receive(session, offset)

    def begin(self, session: SessionId, offset: int, attached: Iterable[SessionId]) -> None:
        """The session has received nothing yet, and begins after `offset`."""
        self._make_room({*attached, session})
        self._reach[session] = Reach(offset, offset, offset)
        self._move(session)

    def receive(self, session: SessionId, offset: int) -> bool:
        """Acknowledge everything through `offset`; never goes back. False if that is not new."""
        reach = self._reach[session]
        if offset <= reach.acked:
            return False
        reach.acked = offset
        reach.sent = max(reach.sent, offset)
        self._move(session)
        return True

    def send(self, session: SessionId, through: int) -> None:
        """Everything up to `through` was written to a socket of the session."""
        reach = self._reach[session]
        if through > reach.sent:
            reach.sent = through
            if session not in self._sent_more:
                self._sent_more |= {session}

    def hand(self, session: SessionId, through: int) -> None:
        """A connection of the session has ended; it was handed everything up to `through`."""
        reach = self._reach[session]
        reach.handed = max(reach.handed, through)

    def take_cursors(self, user: UserId, at: int, *, lazily: bool) -> Iterable[Cursor]:
        """The cursors to write now; call `kept` or `not_kept` with the result.

        Those of sessions that were only sent more are taken `lazily`, or with what they received:
        every event is sent, and a row for each would double what an append costs.
        """
        if lazily:
            self._moved, self._sent_more = self._moved | self._sent_more, NONE
        if not self._moved:
            return ()
        self._in_flight, self._moved = self._moved, NONE
        self._sent_more -= self._in_flight
        return [self._cursor(user, session, at) for session in sorted(self._in_flight)]

    def kept(self) -> None:
        self._in_flight = NONE

    def not_kept(self) -> None:
        self._moved |= self._in_flight
        self._in_flight = NONE

    def _move(self, session: SessionId) -> None:
        if session not in self._moved:
            self._moved |= {session}

    def _cursor(self, user: UserId, session: SessionId, at: int) -> Cursor:
        reach = self._reach[session]
        return Cursor(user, session, reach.start, reach.acked, reach.sent, at)

    def _make_room(self, needed: set[SessionId]) -> None:
        excess = len(self._reach) - self._remembered + 1
        if excess > 0:
            needed |= self._moved | self._sent_more | self._in_flight
            for session in [each for each in self._reach if each not in needed][:excess]:
                del self._reach[session]
