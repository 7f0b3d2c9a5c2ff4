"""A token bucket: bounds a rate on average and the size of a burst (pure)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from weakref import WeakValueDictionary


class TokenBucket:
    """Allows `rate` units a second and bursts of `burst`.

    Time is passed in, in seconds on any clock; one that steps back earns nothing.
    """

    __slots__ = ("__weakref__", "_burst", "_level", "_rate", "_seen")

    def __init__(self, rate: float, burst: float, *, now: float) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(
                f"`rate` must be above 0 and `burst` at least 1, not {rate} and {burst}"
            )
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._seen = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take `amount` if the bucket holds that much; otherwise take nothing."""
        if now > self._seen:
            level = self._level + self._rate * (now - self._seen)
            self._level, self._seen = (level if level < self._burst else self._burst), now
        if amount > self._level:
            return False
        self._level -= amount
        return True

    def level(self, now: float) -> float:
        """How much could be taken at `now`."""
        return min(self._burst, self._level + self._rate * max(0.0, now - self._seen))


class SharedBuckets:
    """One bucket per key, shared by its holders and forgotten with the last of them."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._held: WeakValueDictionary[Hashable, TokenBucket] = WeakValueDictionary()

    def of(self, key: Hashable, *, now: float) -> TokenBucket:
        bucket = self._held.get(key)
        if bucket is None:
            bucket = self._held[key] = TokenBucket(self._rate, self._burst, now=now)
        return bucket


class FrameRates:
    """The frames that one connection may send, and those that all of its user's may together.

    `clock`: monotonic, in seconds.
    """

    __slots__ = ("_is_paid", "_own", "_users", "clock")

    def __init__(self, own: TokenBucket, users: TokenBucket, clock: Callable[[], float]) -> None:
        self._own = own
        self._users = users
        self.clock: Callable[[], float] = clock
        self._is_paid = False

    def allow(self) -> bool:
        """Take one frame. False if it is too many."""
        if self._is_paid:
            self._is_paid = False
            return True
        now = self.clock()
        return self._own.take(now) and self._users.take(now)

    def put_back(self) -> None:
        """The last frame did not count after all: what was taken for it is the next one's."""
        self._is_paid = True
