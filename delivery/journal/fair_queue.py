"""A queue that is fair between its producers (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out within a key; the keys take turns.

    At most `each` items of one key may wait. A key whose item is in hand, between `begin` and
    `done`, has no other turn meanwhile.
    """

    def __init__(self, *, each: int) -> None:
        self._each = each
        self._waiting: dict[Hashable, deque[T]] = {}
        self._next: deque[Hashable] = deque()
        self._in_hand: set[Hashable] = set()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, key: Hashable, item: T) -> bool:
        """Add an item; False, without adding it, if `each` items of this key wait already."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = deque()
            if key not in self._in_hand:
                self._next.append(key)
        elif len(waiting) >= self._each:
            return False
        waiting.append(item)
        self._length += 1
        return True

    def begin(self) -> tuple[Hashable, T] | None:
        """Take the next item in hand, with its key; None if no key has its turn."""
        if not self._next:
            return None
        key = self._next.popleft()
        item = self._waiting[key].popleft()
        if not self._waiting[key]:
            del self._waiting[key]
        self._in_hand.add(key)
        self._length -= 1
        return key, item

    def done(self, key: Hashable) -> None:
        """The item of this key is dealt with: the key may have its next turn."""
        self._in_hand.discard(key)
        if key in self._waiting:
            self._next.append(key)

    def take(self) -> T:
        """Remove and return the next item. Raises `LookupError` if the queue is empty."""
        turn = self.begin()
        if turn is None:
            raise LookupError("the queue is empty")
        key, item = turn
        self.done(key)
        return item
