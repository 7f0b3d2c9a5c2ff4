"""The part of `Run` that counts what it uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.run.emitter import Emitter
from greenroom.delivery.run.event_fields import checked_name, checked_whole
from greenroom.delivery.run.grammar import OutOfOrder, RunStage

MOST_COUNTS: Final = 32
LONGEST_NAME: Final = 64
MOST: Final = 2**53 - 1
"""What a JavaScript client can count."""


class UsageSums:
    """What a run has used so far (pure)."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def add(self, counts: Mapping[str, int]) -> None:
        """Add to the sums. Raises `BadEvent`, and then nothing was added."""
        sums = self._used | {name: self._sum(name, count) for name, count in counts.items()}
        if len(sums) > MOST_COUNTS:
            raise BadEvent(f"usage: at most {MOST_COUNTS} counts are allowed, not {len(sums)}")
        self._used = sums

    @property
    def field(self) -> dict[str, JSON]:
        """The field of an `agent_completed`, if there is anything in it."""
        return {"usage": dict(self._used)} if self._used else {}

    def _sum(self, name: str, count: int) -> int:
        kind = Kind.AGENT_COMPLETED
        if len(checked_name(kind, "usage", name)) > LONGEST_NAME:
            raise BadEvent(f"usage: a name must have at most {LONGEST_NAME} characters: {name!r}")
        total = self._used.get(name, 0) + checked_whole(kind, f"usage.{name}", count)
        if total > MOST:
            raise BadEvent(f"usage: `{name}` must be at most {MOST}, not {total}")
        return total


class RunUsage:
    """The part of `Run` that counts what it uses: tokens, requests."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._used = UsageSums()

    def add_usage(self, counts: Mapping[str, int]) -> None:
        """Add to what this run has used, such as `{"input_tokens": 120, "output_tokens": 40}`: the
        sums are `usage` in its `agent_completed`.

        Nothing is emitted now. Raises `BadEvent` for a count that is no whole number, a sum past
        2**53, a name that is empty or longer than 64 characters, and more than 32 names;
        `OutOfOrder` once the run has ended; `WrongThread`.
        """
        self._emitter.check_thread()
        if self._emitter.spoken.stage is RunStage.ENDED:
            raise OutOfOrder("usage cannot be added to a run that has ended")
        self._used.add(counts)

    @property
    def _completed_usage(self) -> dict[str, JSON]:
        """The field of an `agent_completed`."""
        return self._used.field
