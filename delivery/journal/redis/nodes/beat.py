"""What a node knows of the leases of all, by the clock of Redis."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import attrs

GIVEN_UP: Final = 0
_JUST_COME_MS: Final = 1_000


@attrs.frozen
class Beat:
    """`at`: when Redis said it (ms). `expires`: when the lease of each node is over (ms).

    Between two beats the time is that of Redis, and what has passed here since then.
    """

    at: int
    expires: Mapping[int, int]
    _heard: float = attrs.field(factory=time.monotonic)

    @property
    def now(self) -> int:
        return self.at + round((time.monotonic() - self._heard) * 1000)

    def left(self, node: int) -> float:
        """The seconds until its lease is over; negative once it is. One that is not known has just
        come."""
        return (self.expires.get(node, self.now + _JUST_COME_MS) - self.now) / 1000

    def is_over(self, node: int) -> bool:
        """Whether it was over at this beat."""
        return self.expires.get(node, 1) < self.at

    def is_given_up(self, node: int) -> bool:
        return self.expires.get(node) == GIVEN_UP
