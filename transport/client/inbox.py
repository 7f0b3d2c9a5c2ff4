"""Events that a client received and its program has not taken yet (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import attrs

from greenroom.delivery.events.kinds import Event
from greenroom.transport.client.frames import Position
from greenroom.transport.client.session import Arrival


class Inbox:
    """Hands events out in order. `position` is where a later process must resume so that it gets
    all that was not taken here."""

    def __init__(self) -> None:
        self._waiting: deque[Arrival | Position] = (
            deque()
        )  # a position: what follows it begins there
        self.position: Position | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, arrivals: Iterable[Arrival]) -> None:
        """Append events that arrived, in their order."""
        self._waiting.extend(arrivals)

    def take(self) -> Event:
        """Take the next event; `position` moves past it. Raises `IndexError` if there is none."""
        arrival = self._waiting.popleft()
        assert isinstance(arrival, Arrival), "a place is passed at once when nothing is before it"
        self.position = arrival.place
        self._pass_places()
        return arrival.event

    def begin(self, place: Position) -> None:
        """Let events from now on follow this position: that of another session, or of a new one."""
        self._waiting.append(place)
        self._pass_places()

    def forget(self, beyond: int, epoch: str) -> None:
        """Drop events of this journal beyond an offset: they no longer count."""
        kept = [each for each in self._waiting if _stays(each, beyond, epoch)]
        self._waiting = deque(kept)
        self._pass_places()

    def _pass_places(self) -> None:
        while self._waiting and isinstance(place := self._waiting[0], Position):
            self._waiting.popleft()
            self.position = place


def _stays(waiting: Arrival | Position, beyond: int, epoch: str) -> bool:
    place = waiting.place if isinstance(waiting, Arrival) else waiting
    offset = waiting.event.offset if isinstance(waiting, Arrival) else place.offset
    return place.epoch != epoch or offset <= beyond


def moved(position: Position, to: Position) -> Position:
    """`position` in the session of `to`, if both are of the same journal."""
    same = position.epoch == to.epoch
    return attrs.evolve(position, session=to.session) if same else position
