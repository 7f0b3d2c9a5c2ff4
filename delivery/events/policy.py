"""What counts as delivered, how long that is tried, what else becomes of an event (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import DeadLetter
from greenroom.delivery.events.stages import Outcome, ReceiptStage

Done: TypeAlias = Literal[ReceiptStage.RECEIVED, ReceiptStage.DISPLAYED, ReceiptStage.CONFIRMED]
HOUR: Final = 3600.0
DONE: Final[tuple[Done, ...]] = (
    ReceiptStage.RECEIVED,
    ReceiptStage.DISPLAYED,
    ReceiptStage.CONFIRMED,
)


@attrs.frozen
class Policy:
    """`done`: the stage at which an event of the class has been delivered; at least received.

    One that has not got there `expires_after` seconds has expired; with `dead_letter` that is
    an operator's to know: a CRITICAL log line and a dead letter with all attempts.
    """

    done: Done = ReceiptStage.RECEIVED
    expires_after: float = 7 * 24 * HOUR
    dead_letter: bool = True

    @property
    def delivered(self) -> Outcome:
        """The outcome of an event that got to `done`."""
        return Outcome(str(self.done))

    @property
    def given_up(self) -> Literal["expired", "dead_lettered"]:
        """The outcome of one that did not, in time."""
        return "dead_lettered" if self.dead_letter else "expired"

    def is_over(self, at: int, now: int) -> bool:
        """An event accepted at `at` has had its time by `now` (ms)."""
        return now - at >= self.expires_after * 1000


Policies: TypeAlias = Mapping[EventClass, Policy]

POLICIES: Final[Policies] = MappingProxyType(
    {
        EventClass.CRITICAL: Policy(),
        EventClass.PROGRESS: Policy(expires_after=HOUR, dead_letter=False),
    }
)
"""Critical events have a week and become dead letters; progress is of no use after an hour."""


def outcome_of(stage: ReceiptStage, policy: Policy, letter: DeadLetter | None) -> Outcome | None:
    """How an event ended. `stage` is the durable one, or a crash could take an outcome back.

    Given up is given up, also when somebody comes for it later.
    """
    if letter is not None:
        return Outcome(letter.outcome)
    return policy.delivered if stage >= policy.done else None
