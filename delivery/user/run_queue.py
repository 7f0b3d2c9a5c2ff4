"""Whose turn it is: so many runs of a user at once, the others in order, and a bound (pure)."""

from __future__ import annotations

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.ids import RunId


class TooManyRuns(DeliveryError):
    """The user has as many runs going on and waiting as one user may. Nothing was kept."""

    fault = Fault.CLIENT
    temporary = True


class RunQueue:
    """Places in the order they were taken; the first `at_once` of them have their turn."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once = at_once
        self.waiting = waiting
        self._places: dict[RunId, bool] = {}

    def __len__(self) -> int:
        return len(self._places)

    def enter(self, run: RunId) -> None:
        """Take the last place. Raises `TooManyRuns`."""
        if len(self._places) >= self.at_once + self.waiting:
            raise TooManyRuns(
                f"{self.at_once} runs go on and {self.waiting} wait: no more are taken now",
                advice="say it again once one has ended",
            )
        self._places[run] = sum(self._places.values()) < self.at_once

    def has_turn(self, run: RunId) -> bool:
        return self._places.get(run, False)

    def leave(self, run: RunId) -> RunId | None:
        """Give a place up, whether it had its turn or not; whose turn it is now, if anyone's."""
        if not self._places.pop(run, False):
            return None
        following = next((each for each, turn in self._places.items() if not turn), None)
        if following is not None:
            self._places[following] = True
        return following
