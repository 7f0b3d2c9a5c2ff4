"""Delivery policies: when an event counts as delivered, and when it expires (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import DeadLetter
from greenroom.delivery.events.stages import Outcome, ReceiptStage

Done: TypeAlias = Literal[ReceiptStage.RECEIVED, ReceiptStage.DISPLAYED, ReceiptStage.CONFIRMED]
LetterLevel: TypeAlias = Literal["info", "warning", "error", "critical"]
LEVELS: Final[tuple[LetterLevel, ...]] = ("info", "warning", "error", "critical")
HOUR: Final = 3600.0
DONE: Final[tuple[Done, ...]] = (
    ReceiptStage.RECEIVED,
    ReceiptStage.DISPLAYED,
    ReceiptStage.CONFIRMED,
)


@attrs.frozen
class Policy:
    """The delivery policy of an event class.

    `done`: the stage at which an event counts as delivered; at least received. An event that has
    not reached it within `expires_after` seconds has expired. With `dead_letter`, operators get a
    dead letter with all attempts and a line in the log: at CRITICAL if a client was connected and
    did not receive it, at `level` if the user was away.
    """

    done: Done = ReceiptStage.RECEIVED
    expires_after: float = 7 * 24 * HOUR
    dead_letter: bool = True
    level: LetterLevel = "warning"

    def level_of(self, *, connected: bool) -> LetterLevel:
        """The level at which the log has an event that was given up."""
        if not self.dead_letter:
            return "info"
        return "critical" if connected else self.level

    @property
    def delivered(self) -> Outcome:
        """The outcome of an event that reached `done`."""
        return Outcome(str(self.done))

    @property
    def given_up(self) -> Literal["expired", "dead_lettered"]:
        """The outcome of an event that did not reach `done` in time."""
        return "dead_lettered" if self.dead_letter else "expired"

    def is_over(self, at: int, now: int) -> bool:
        """Whether the time of an event accepted at `at` (ms) has run out at `now` (ms)."""
        return now - at >= self.expires_after * 1000


Policies: TypeAlias = Mapping[EventClass, Policy]

POLICIES: Final[Policies] = MappingProxyType(
    {
        EventClass.CRITICAL: Policy(),
        EventClass.PROGRESS: Policy(expires_after=HOUR, dead_letter=False),
    }
)
"""Critical events expire after a week and become dead letters; progress expires after an hour."""


def outcome_of(stage: ReceiptStage, policy: Policy, letter: DeadLetter | None) -> Outcome | None:
    """How an event ended. `stage` must be durable, or a crash could revoke an outcome.

    A dead letter's outcome is final, even if a client receives the event later.
    """
    if letter is not None:
        return Outcome(letter.outcome)
    return policy.delivered if stage >= policy.done else None
