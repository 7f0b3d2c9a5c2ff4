"""The nodes of a survey that a visitor asks for, in order, found in small steps."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Generator, Iterator
from typing import Final

from greenroom.observer.tree.nodes_query import NodesQuery
from greenroom.supervisor.inspection.survey import Survey

MOST_SORTED: Final = 1000
"""The most nodes in a sorted list, which is for finding the worst."""


class Listing:
    """The `places` of nodes in a survey; `top` is that of the node at `under`, None without one."""

    def __init__(self, survey: Survey, query: NodesQuery) -> None:
        self.survey = survey
        self._query = query
        self.places: array[int] = array("l")
        self.top: int | None = None

    def steps(self) -> Iterator[None]:
        """Find them. It yields after each step of some microseconds, and is whole at the end."""
        self.top = yield from self._find_top()
        if self.top is None:
            return
        if not self._query.is_list:
            yield from self._walk(self.top)
        elif self._query.sort is None:
            yield from self._list(self.top)
        else:
            yield from self._sort(self.top, self._query.sort)

    def _find_top(self) -> Generator[None, None, int | None]:
        survey, under = self.survey, self._query.under
        if not under:
            return 0
        for place, name in enumerate(survey.ids):
            if under.endswith(name) and survey.path(place) == under:
                return place
            yield
        return None

    def _walk(self, top: int) -> Iterator[None]:
        survey, opened = self.survey, self._query.open
        names = {ending for path in opened for ending in _endings(path)}
        place, end = top, top + 1 + survey.below[top]
        while place < end:
            self.places.append(place)
            is_open = survey.ids[place] in names and survey.path(place) in opened
            place += 1 if is_open or place == top else 1 + survey.below[place]
            yield

    def _list(self, top: int) -> Iterator[None]:
        for place in self._all_below(top):
            if self._matches(place):
                self.places.append(place)
            yield

    def _sort(self, top: int, sort: str) -> Iterator[None]:
        loads, worst = self.survey.own[sort], list[tuple[float, int]]()
        for place in self._all_below(top):
            if loads[place] and self._matches(place):
                _keep(worst, (loads[place], -place))
            yield
        self.places.extend(-place for _, place in sorted(worst, reverse=True))

    def _all_below(self, top: int) -> range:
        return range(top, top + 1 + self.survey.below[top])

    def _matches(self, place: int) -> bool:
        return self._query.search in self.survey.ids[place].casefold()


def _keep(worst: list[tuple[float, int]], found: tuple[float, int]) -> None:
    if len(worst) < MOST_SORTED:
        heapq.heappush(worst, found)
    else:
        heapq.heappushpop(worst, found)


def _endings(path: str) -> Iterator[str]:
    """What the id of the path's last node may be: an id may hold a slash."""
    parts = path.split("/")
    return ("/".join(parts[start:]) for start in range(len(parts)))
