"""What follows from several settings together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import attrs

from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import DONE, POLICIES, LetterLevel, Policies
from greenroom.delivery.outbox.redelivery import Patience
from greenroom.settings.sources import BadSettings

KEYS: Final = ("secret", "key_file", "jwks_file")
"""The settings of which one says how tokens are checked."""

PATIENCE: Final = Patience()

Done: TypeAlias = tuple[str, float]
"""The stage that counts as delivered, and the seconds to reach it."""

_STAGES: Final = {str(stage): stage for stage in DONE}


def patience_of(first: float, longest: float, attempts: int) -> Patience:
    """When unacknowledged events are sent again, and when their connection is closed."""
    delays = attrs.evolve(PATIENCE.delays, first=first, limit=longest)
    return Patience(delays, attempts=attempts, opens_at=attempts - 1)


def policies_of(critical: Done, progress: Done, level: str) -> Policies:
    """The policy of each class of events. `level`: at which dead letters are logged."""
    chosen = {EventClass.CRITICAL: critical, EventClass.PROGRESS: progress}
    policies = {
        each: attrs.evolve(POLICIES[each], done=_STAGES[done], expires_after=seconds)
        for each, (done, seconds) in chosen.items()
    }
    critical_policy = attrs.evolve(policies[EventClass.CRITICAL], level=cast(LetterLevel, level))
    return {**policies, EventClass.CRITICAL: critical_policy}


def require_one_key(chosen: Sequence[str]) -> None:
    """Raise `BadSettings` for no way to check tokens, or for several."""
    if len(chosen) == 1:
        return
    said = f"{' and '.join(chosen)} are set" if chosen else "none of them is set"
    raise BadSettings(
        [f"exactly one of secret, key_file and jwks_file must be set; {said}"],
        advice="keep one of them"
        if chosen
        else "set GREENROOM_SECRET to 32 random bytes or more, for example from "
        "`openssl rand -base64 32`",
    )
