"""How well a user's clients keep up, as an agent sees it (pure)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.delivery.user.parts import Gauge

BEHIND_EVENTS = 128
"""Events a connection may be behind before the pressure on the agent is `SOME`."""


class Pressure(enum.Enum):
    """How well the user's clients keep up, so that an agent can emit less or summarize."""

    NONE = "none"
    SOME = "some"
    NOBODY_LISTENING = "nobody listening"


def pressure_of(gauge: Gauge) -> Pressure:
    if not gauge.listening:
        return Pressure.NOBODY_LISTENING
    return Pressure.SOME if gauge.behind > BEHIND_EVENTS else Pressure.NONE
