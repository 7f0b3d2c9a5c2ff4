"""When the next group commit may leave (pure).

A commit costs as much for one event as for a hundred, so commits that follow each other closely
are few and large only if something makes them wait. The first commit leaves at once. The next one
leaves `interval` seconds after the last one *landed*, that is after its callers got their replies;
counted from there, users that answer to the same landing are committed together. It leaves earlier
when every user with an event in the last commit has another one waiting: a lone run that awaits
event after event is never held up.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from greenroom.delivery.events.ids import UserId


class Pace:
    """Used by two threads: `posted` and `wait` by the one that commits, the rest by the other.

    Each field is assigned by one of them at a time, so no lock is needed: at worst a commit leaves
    a pause too early or too late.
    """

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        """`interval` in seconds; 0 lets each commit leave at once."""
        self._interval = interval
        self._clock = clock
        self._awaited: set[UserId] = set()
        self._posted = self._landed = 0
        self._over_at = 0.0
        self._ended = True

    @property
    def pauses(self) -> bool:
        """Whether a commit may have to wait for `landed`."""
        return self._interval > 0

    def posted(self, emitters: set[UserId]) -> None:
        """The callers of a commit of events of these users will now get their replies: a pause
        begins."""
        if self._interval:
            self._awaited = emitters
            self._posted += 1
            self._ended = False

    def landed(self) -> None:
        """The callers of a commit have got their replies."""
        if self._interval:
            self._over_at = self._clock() + self._interval
            self._landed += 1

    def appended(self, emitters: Set[UserId]) -> bool:
        """Events of these users wait to be committed. True if they end a pause: every user with an
        event in the last commit has a new one. Entries that are no events do not count."""
        if self._ended:
            return False
        self._awaited -= emitters
        self._ended = bool(emitters) and not self._awaited
        return self._ended

    def wait(self) -> float:
        """Seconds until the next commit may leave; 0.0 if it may leave now."""
        if self._ended:
            return 0.0
        if self._posted != self._landed:
            return self._interval
        return max(0.0, self._over_at - self._clock())
