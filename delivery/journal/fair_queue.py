"""A queue that is fair between its producers (pure)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out within a key; the keys take turns.

    At most `each` items of one key may wait.
    """

    def __init__(self, *, each: int) -> None:
        self._each = each
        self._waiting: OrderedDict[Hashable, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, key: Hashable, item: T) -> bool:
        """Add an item; False, without adding it, if `each` items of this key wait already."""
        waiting = self._waiting.setdefault(key, deque())
        if len(waiting) >= self._each:
            return False
        waiting.append(item)
        self._length += 1
        return True

    def take(self) -> T:
        """Remove and return the next item. Raises `LookupError` if the queue is empty."""
        if not self._waiting:
            raise LookupError("the queue is empty")
        key, waiting = self._waiting.popitem(last=False)
        item = waiting.popleft()
        self._length -= 1
        if waiting:
            self._waiting[key] = waiting
        return item
