"""One survey for all who look at the tree: the first who wants a newer one takes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import attrs
import trio

from greenroom.actors.timers import alarm_clock
from greenroom.observer.listing import Listing
from greenroom.observer.nodes_query import NodesQuery
from greenroom.observer.pace import Pace
from greenroom.supervisor.inspection.survey import Survey
from greenroom.supervisor.supervisor_ref import SupervisorRef

INTERVAL: Final = 1.0
"""Seconds between the end of a survey and the next one."""

KEPT_SECONDS: Final = 10.0
"""Seconds that the last survey is kept when no one looks."""

MOST_LISTINGS: Final = 32


@attrs.define(eq=False)
class Sight:
    """A survey that is complete, and what was listed of it. `number` counts surveys; `at` is in ms
    since the Unix epoch, `until` is when the next may begin, on trio's clock."""

    survey: Survey
    number: int
    at: int
    until: float
    listings: OrderedDict[NodesQuery, Listing] = attrs.field(factory=OrderedDict)


class Lookout:
    """Surveys the tree below `root`, only while someone asks."""

    def __init__(
        self, root: SupervisorRef, wall_clock: Callable[[], float], pace: Pace | None = None
    ) -> None:
        self._root = root
        self._wall_clock = wall_clock
        self._pace = pace or Pace()
        self._turn = trio.Lock()
        self._sight: Sight | None = None
        self._number = 0

    async def look(self, query: NodesQuery, *, after: int = 0) -> tuple[Sight, Listing]:
        """The newest sight, which is not older than `INTERVAL`, and what the query means in it.
        With the number of a sight, wait for a newer one."""
        sight = await self._sight_after(after)
        return sight, await self._list(sight, query)

    async def _sight_after(self, number: int) -> Sight:
        seen = self._sight
        if seen is not None and seen.number == number:
            await trio.sleep_until(seen.until)
        elif seen is not None and self._turn.locked():
            return seen  # the next one is being taken
        async with self._turn:
            if self._sight is None or self._sight.until <= trio.current_time():
                self._sight = await self._take()
            return self._sight

    async def _take(self) -> Sight:
        survey = Survey(self._root)
        await self._pace.go_through(survey.steps())
        self._number += 1
        now = trio.current_time()
        alarm_clock().set(KEPT_SECONDS, self._let_go)
        return Sight(survey, self._number, round(self._wall_clock() * 1000), now + INTERVAL)

    async def _list(self, sight: Sight, query: NodesQuery) -> Listing:
        listing = sight.listings.get(query)
        if listing is None:
            listing = Listing(sight.survey, query)
            await self._pace.go_through(listing.steps())
            sight.listings[query] = listing
            while len(sight.listings) > MOST_LISTINGS:
                sight.listings.popitem(last=False)
        return listing

    def _let_go(self) -> None:
        """Nobody has looked since the last survey, if it is this old."""
        if self._sight is not None and self._sight.until <= trio.current_time():
            self._sight = None
