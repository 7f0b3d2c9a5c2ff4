"""The hierarchy of timeouts, and which of them must fit into which (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import attrs

from greenroom.actors.errors import Fault, GreenroomError

MARGIN_SECONDS = 5.0
"""Seconds between the limit of a run and the moment its client may give up on it: after
`GRACE_SECONDS` a run that does not stop is ended, and its last event has the rest to arrive."""

GRACE_SECONDS = 3.0
"""Seconds that the code of a run may take to leave after a cut before the run ends without it."""

SILENCE = 1.5
"""Heartbeats without any frame after which a peer is gone (PROTOCOL.md, "Client duties")."""


class Tier(enum.StrEnum):
    """What an operator promises: the shortest limit that a run may have."""

    STANDARD = "standard"
    ENTERPRISE = "enterprise"


LEAST_AGENT_SECONDS: Mapping[Tier, float] = MappingProxyType(
    {Tier.STANDARD: 40.0, Tier.ENTERPRISE: 60.0}
)


@attrs.frozen
class Clash:
    """Two values that clash. `lower` and `upper` are names of fields of `Timeouts`; append "of"
    and the upper field's name to `sentence`, as it is called where the value was set."""

    lower: str
    upper: str
    sentence: str


class TimeoutsClash(GreenroomError):
    """Some timeouts do not fit into each other. `clashes` has each pair."""

    fault = Fault.OPERATOR

    def __init__(self, clashes: tuple[Clash, ...]) -> None:
        self.clashes = clashes
        super().__init__(
            "\n".join(f"{each.lower}: {each.sentence} of {each.upper}" for each in clashes)
        )


@attrs.frozen(kw_only=True)
class Timeouts:
    """The hierarchy of timeouts, all in seconds. Raises `TimeoutsClash` if they do not fit.

    `agent_seconds` is the limit of a run, from `agent_started` on. `connection_seconds` is how long
    after it a client may have to wait for the run's last event: browsers, SDKs and proxies must
    wait that long. It does not limit the life of a connection.
    """

    tier: Tier = attrs.field(default=Tier.STANDARD, converter=Tier)
    agent_seconds: float = 120.0
    connection_seconds: float = 300.0
    heartbeat: float = 25.0
    accept_deadline: float = 10.0
    hello_deadline: float = 10.0

    def __attrs_post_init__(self) -> None:
        clashes = tuple(self._clashes())
        if clashes:
            raise TimeoutsClash(clashes)

    @property
    def least_agent_seconds(self) -> float:
        """The shortest limit of a run on this tier."""
        return LEAST_AGENT_SECONDS[self.tier]

    @property
    def most_agent_seconds(self) -> float:
        """The longest limit of a run: its client would not wait longer for its last event."""
        return self.connection_seconds - MARGIN_SECONDS

    def run_limit(self, seconds: float | None = None) -> float:
        """The limit of a run that requests `seconds`.

        Raises `ValueError` if that is not a number, or outside of the tier.
        """
        limit = self.agent_seconds if seconds is None else seconds
        least, most = self.least_agent_seconds, self.most_agent_seconds
        if not isinstance(limit, int | float) or not least <= limit <= most:
            raise ValueError(
                f"`seconds` must be from {least:g} to {most:g} for a run on tier {self.tier}, "
                f"not {limit!r}; leave it out for `agent_seconds`, {self.agent_seconds:g}"
            )
        return limit

    def _clashes(self) -> Iterator[Clash]:
        agent, connection, least = (
            self.agent_seconds,
            self.connection_seconds,
            self.least_agent_seconds,
        )
        if agent < least:
            yield Clash(
                "agent_seconds",
                "tier",
                f"{agent:g} s is less than the {least:g} s of {self.tier}, the value",
            )
        if agent + MARGIN_SECONDS > connection:
            sentence = f"{agent:g} s and {MARGIN_SECONDS:g} s of margin exceed the {connection:g} s"
            yield Clash("agent_seconds", "connection_seconds", sentence)
        if SILENCE * self.heartbeat > connection:
            sentence = f"{SILENCE:g} times {self.heartbeat:g} s exceeds the {connection:g} s"
            yield Clash("heartbeat", "connection_seconds", sentence)
        if self.accept_deadline + self.hello_deadline > connection:
            sentence = (
                f"{self.hello_deadline:g} s after {self.accept_deadline:g} s of accept_deadline "
                f"exceed the {connection:g} s"
            )
            yield Clash("hello_deadline", "connection_seconds", sentence)
