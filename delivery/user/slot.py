"""The place of an active user: its handle, and who needs its subtree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from greenroom.delivery.user.handle import UserHandle


@attrs.define(eq=False)
class Slot:
    handle: UserHandle
    leases: int = 0
    idle_since: float = 0.0
    _lock: trio.Lock | None = None  # only while the subtree starts or stops

    @property
    def is_needed(self) -> bool:
        """Whether the subtree is leased, or has runs that will lease it."""
        return bool(self.leases or self.handle.live_runs)

    @property
    def is_locked(self) -> bool:
        """Whether the subtree is being started or stopped."""
        return self._lock is not None

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Start or stop the subtree in the block, one task after the other."""
        lock = self._lock = self._lock or trio.Lock()
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():  # otherwise it was handed on to a task that waited
                self._lock = None
