"""The place of an active user: its handle, and who needs its subtree."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

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

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Start or stop the subtree in the block, one task after the other."""
        return _Locked(self)


class _Locked(AbstractAsyncContextManager[None]):
    """A class, and no `@asynccontextmanager`, which costs more: every connect needs it."""

    __slots__ = ("_lock", "_slot")

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    async def __aenter__(self) -> None:
        lock = self._lock = self._slot._lock = self._slot._lock or trio.Lock()
        try:
            await lock.acquire()
        except BaseException:
            self._give_up()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()
        self._give_up()

    def _give_up(self) -> None:
        if not self._lock.locked():  # otherwise it was handed on to a task that waited
            self._slot._lock = None
