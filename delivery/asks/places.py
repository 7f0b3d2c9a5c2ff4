"""How many questions of a user may be open: places that runs take before they ask (pure)."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Final

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.ids import AskId, RunId

ASKS_PER_RUN: Final = 32
ASKS_PER_USER: Final = 128
ASKS_BYTES: Final = 256 * 1024
"""The bytes of all open questions of a user: every client that connects is sent them."""


class TooManyAsks(DeliveryError):
    """The run or its user has as many open questions as allowed. Nothing was asked."""

    fault: ClassVar[Fault] = Fault.CALLER
    temporary = True


class AskPlaces:
    """The places of one user's open questions. A place that was taken must be given up."""

    __slots__ = ("_bytes", "_of_runs", "_taken")

    def __init__(self) -> None:
        self._taken: dict[AskId, tuple[RunId, int]] = {}
        self._of_runs: Counter[RunId] = Counter()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._taken)

    def __contains__(self, ask: AskId) -> bool:
        return ask in self._taken

    def enter(self, ask: AskId, run: RunId, size: int) -> None:
        """Take a place for a question of `size` bytes. Raises `TooManyAsks`."""
        if self._of_runs[run] >= ASKS_PER_RUN:
            raise _too_many(f"a run may have at most {ASKS_PER_RUN} open questions")
        if len(self._taken) >= ASKS_PER_USER:
            raise _too_many(f"a user may have at most {ASKS_PER_USER} open questions")
        if self._bytes + size > ASKS_BYTES:
            raise _too_many(f"the open questions of a user may have at most {ASKS_BYTES:,} bytes")
        self._taken[ask] = run, size
        self._of_runs[run] += 1
        self._bytes += size

    def leave(self, ask: AskId) -> None:
        """Give the place up; does nothing if that was done before."""
        run, size = self._taken.pop(ask, (None, 0))
        self._bytes -= size
        if run is not None:
            self._of_runs[run] -= 1
            if not self._of_runs[run]:
                del self._of_runs[run]


def _too_many(limit: str) -> TooManyAsks:
    return TooManyAsks(limit, advice="wait for answers, or withdraw questions")
