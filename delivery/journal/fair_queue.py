"""A queue that is fair between those who put something in (pure)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out for each key; the keys take turns, the one served last comes last.

    Of one key `each` items wait at most, however many others there are.
    """

    def __init__(self, *, each: int) -> None:
        self._each = each
        self._waiting: OrderedDict[Hashable, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, key: Hashable, item: T) -> bool:
        """False, and nothing is added, when as many of this key wait as may."""
        waiting = self._waiting.setdefault(key, deque())
        if len(waiting) >= self._each:
            return False
        waiting.append(item)
        self._length += 1
        return True

    def take(self) -> T:
        """The next one. Raises `LookupError` when nothing waits."""
        if not self._waiting:
            raise LookupError("nothing waits in the queue")
        key, waiting = self._waiting.popitem(last=False)
        item = waiting.popleft()
        self._length -= 1
        if waiting:
            self._waiting[key] = waiting
        return item
