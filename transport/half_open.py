"""Bounds the sockets that have not yet proven who they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import trio

HANDSHAKE_DEADLINE = 10.0


@attrs.frozen
class HalfOpenStatistics:
    """A look at the half-open connections. `dropped` were given up to make room."""

    waiting: int
    limit: int
    dropped: int


class HalfOpen:
    """At most `limit` handshakes at once. When full, the oldest one makes room.

    So a flood of idle sockets pushes itself out, and a client that speaks at once gets in
    (RFC 4987 §3.4, recycling the oldest half-open connection, one floor up).
    """

    def __init__(self, limit: int = 1024) -> None:
        if limit < 1:
            raise ValueError(f"room for at least 1 handshake, not {limit}")
        self._limit = limit
        self._waiting: dict[trio.CancelScope, None] = {}  # ordered: the first is the oldest
        self._dropped = 0

    @contextmanager
    def handshake(self, deadline: float = HANDSHAKE_DEADLINE) -> Iterator[trio.CancelScope]:
        """Run a handshake: cancelled after `deadline` seconds, or as the oldest of too many.

        Look at the scope's `cancelled_caught` afterwards, and drop the connection if it is set.
        """
        if len(self._waiting) >= self._limit:
            self._drop_oldest()
        with trio.move_on_after(deadline) as scope:
            self._waiting[scope] = None
            try:
                yield scope
            finally:
                self._waiting.pop(scope, None)

    def statistics(self) -> HalfOpenStatistics:
        return HalfOpenStatistics(len(self._waiting), self._limit, self._dropped)

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._waiting))
        del self._waiting[oldest]
        oldest.cancel()
        self._dropped += 1
