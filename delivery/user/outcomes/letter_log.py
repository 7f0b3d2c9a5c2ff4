"""The log of undelivered events: a line for each run and hour, however many events it has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.record import DeadLetter

logger = logging.getLogger("greenroom.delivery")

HOUR: Final = 3600.0
RUNS_KNOWN: Final = 1_000
"""Runs whose lines are counted; the one with the oldest line makes room for another."""


@attrs.define
class _Written:
    """When the last line of a run was written, and the events since then without one."""

    at: float
    more: int = 0


class LetterLog:
    """Writes at most one line for each run, level and hour, and the number of the events that had
    none with the next one. One for all users. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = trio.current_time) -> None:
        self._clock = clock
        self._written: dict[tuple[RunId, int], _Written] = {}

    def write(self, owner: str, run: RunId, letters: Sequence[DeadLetter], level: int) -> None:
        """Log these undelivered events of one run of `owner`, unless that run had a line."""
        now, key = self._clock(), (run, level)
        known = self._written.get(key)
        if known is not None and now - known.at < HOUR:
            known.more += len(letters)
            return
        more = 0 if known is None else known.more
        self._remember(key, now)
        logger.log(level, "%s", _sentence(owner, run, letters, level, more))

    def _remember(self, key: tuple[RunId, int], now: float) -> None:
        self._written.pop(key, None)
        while len(self._written) >= RUNS_KNOWN:
            del self._written[next(iter(self._written))]
        self._written[key] = _Written(now)


def _sentence(owner: str, run: RunId, letters: Sequence[DeadLetter], level: int, more: int) -> str:
    first = letters[0]
    attempts = max(len(letter.attempts) for letter in letters)
    ended = "expired" if first.outcome == "expired" else "are dead letters"
    why = f"sent {attempts} times, not received" if attempts else "no client received them"
    since = f" ({more} more since the last line)" if more else ""
    return (
        f"{owner}: {len(letters)} events of {run} {ended}: {why}; "
        f"the first is {first.kind} {first.event}{since}"
    )
