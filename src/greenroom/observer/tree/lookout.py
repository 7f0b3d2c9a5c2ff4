"""One survey for all who look at the tree: the first who wants a newer one takes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import attrs
import trio

from greenroom.actors.timers import alarm_clock
from greenroom.observer.tree.listing import Listing
from greenroom.observer.tree.nodes_query import NodesQuery
from greenroom.supervisor.inspection.slices import Slices
from greenroom.supervisor.inspection.survey import Survey
from greenroom.supervisor.supervisor_ref import SupervisorRef

INTERVAL: Final = 1.0
"""Seconds between the end of a survey and the next one, at least."""

PAUSE: Final = 3
"""How many times as long a pause is as the survey before it, which works a fifth of its time: so
looking takes a twentieth of the time at most."""

KEPT_SECONDS: Final = 10.0
"""Seconds that a survey is kept when it could be followed by another and is not."""

MOST_LISTINGS: Final = 32


@attrs.define(eq=False)
class SurveyedTree:
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
        self, root: SupervisorRef, wall_clock: Callable[[], float], slices: Slices | None = None
    ) -> None:
        self._root = root
        self._wall_clock = wall_clock
        self._slices = slices or Slices()
        self._turn = trio.Lock()
        self._surveyed: SurveyedTree | None = None
        self._number = 0

    async def look(self, query: NodesQuery, *, after: int = 0) -> tuple[SurveyedTree, Listing]:
        """The tree as it was surveyed last, a moment ago unless the next survey is being
        taken, and what the query means in it. Waits for the one `after` the survey of a number."""
        surveyed = await self._surveyed_after(after)
        return surveyed, await self._list(surveyed, query)

    async def _surveyed_after(self, number: int) -> SurveyedTree:
        seen = self._surveyed
        if seen is not None and seen.number == number:
            await trio.sleep_until(seen.until)
        elif seen is not None and self._turn.locked():
            return seen  # the next one is being taken
        async with self._turn:
            if self._surveyed is None or self._surveyed.until <= trio.current_time():
                self._surveyed = await self._take()
            return self._surveyed

    async def _take(self) -> SurveyedTree:
        survey, began = Survey(self._root), trio.current_time()
        await self._slices.go_through(survey.steps())
        self._number += 1
        now = trio.current_time()
        pause = max(INTERVAL, PAUSE * (now - began))
        alarm_clock().set(pause + KEPT_SECONDS, self._let_go)
        return SurveyedTree(survey, self._number, round(self._wall_clock() * 1000), now + pause)

    async def _list(self, surveyed: SurveyedTree, query: NodesQuery) -> Listing:
        listing = surveyed.listings.get(query)
        if listing is None:
            listing = Listing(surveyed.survey, query)
            await self._slices.go_through(listing.steps())
            surveyed.listings[query] = listing
            while len(surveyed.listings) > MOST_LISTINGS:
                surveyed.listings.popitem(last=False)
        return listing

    def _let_go(self) -> None:
        """Forget the last survey if no one asked for the next one."""
        if self._surveyed is not None and self._surveyed.until <= trio.current_time():
            self._surveyed = None
