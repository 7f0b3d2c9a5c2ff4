"""The crash reports that a journal in memory keeps."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import CRASH_BYTES, CRASHES_KEPT, KeptCrash


class CrashesKept:
    """Implements `CrashReads`."""

    def __init__(self) -> None:
        self._crashes: dict[str, KeptCrash] = {}

    def keep(self, crash: KeptCrash) -> None:
        """Keep it, and forget the oldest ones."""
        self._crashes.setdefault(crash.crash, crash)
        while len(self._crashes) > CRASHES_KEPT or self._bytes() > CRASH_BYTES:
            del self._crashes[next(iter(self._crashes))]

    def erase(self, user: UserId) -> None:
        self._crashes = {key: each for key, each in self._crashes.items() if each.user != user}

    def all(self) -> list[KeptCrash]:
        return [attrs.evolve(crash, report="") for crash in self._crashes.values()]

    def find(self, crash: str) -> KeptCrash | None:
        return self._crashes.get(crash)

    def _bytes(self) -> int:
        return sum(len(crash.report) for crash in self._crashes.values())
