"""Delivery policies: when an event counts as delivered, and when it expires (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.safe import safe_repr
from greenroom.actors.text.wording import kind_of
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import EventClass
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


LONGEST: Final = 100 * 366 * 24 * HOUR


class BadPolicy(GreenroomError, ValueError):
    """A policy is none, or has a field that is out of range; the message names it."""


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


@attrs.frozen
class RunPolicy:
    """The delivery policy of a run's events of one class, kept with the run's first event.

    A second one for the same run and class changes nothing. The run's events of the class through
    the offset `through` have their outcome. `due`: when to look for the next outcome, in ms; None
    if there will be none.
    """

    user: UserId
    run: RunId
    event_class: EventClass
    policy: Policy
    through: int
    due: int | None


@attrs.frozen
class RunSettled:
    """How far a run with a policy of its own is settled. `over`: its policy is needed no more."""

    user: UserId
    run: RunId
    event_class: EventClass
    through: int
    due: int | None
    over: bool = False


NO_POLICIES: Final[Policies] = MappingProxyType({})
"""Of a run that has the policies of the classes."""


def checked_policies(given: object, name: str = "policy") -> Policies:
    """A policy for critical events, or one for each of some classes. Raises `BadPolicy`."""
    if given is None:
        return NO_POLICIES
    if isinstance(given, Policy):
        given = {EventClass.CRITICAL: given}
    if not isinstance(given, Mapping):
        raise BadPolicy(
            f"`{name}` must be a greenroom.Policy, or a dict of them by EventClass, "
            f"not {kind_of(given)}"
        )
    return MappingProxyType(
        {_class(each, name): _checked(policy, name) for each, policy in given.items()}
    )


def _class(given: object, name: str) -> EventClass:
    if given not in list(EventClass):
        names = " or ".join(f"EventClass.{each.name}" for each in EventClass)
        raise BadPolicy(f"the keys of `{name}` must be {names}, not {safe_repr(given, 80)}")
    return EventClass(str(given))


def _checked(policy: object, name: str) -> Policy:
    if not isinstance(policy, Policy):
        raise BadPolicy(f"`{name}` must hold policies, not {kind_of(policy)}")
    if policy.done not in DONE:
        raise _bad_field(name, "done", " or ".join(map(str, DONE)), policy.done)
    seconds = policy.expires_after
    if type(seconds) not in (int, float) or not 0 < seconds <= LONGEST:
        raise _bad_field(
            name, "expires_after", f"seconds above 0 and up to {LONGEST:,.0f}", seconds
        )
    if not isinstance(policy.dead_letter, bool):
        raise _bad_field(name, "dead_letter", "True or False", policy.dead_letter)
    if policy.level not in LEVELS:
        raise _bad_field(name, "level", " or ".join(LEVELS), policy.level)
    return policy


def _bad_field(name: str, field: str, rule: str, value: object) -> BadPolicy:
    return BadPolicy(f"`{name}.{field}` must be {rule}, not {safe_repr(value, 80)}")
