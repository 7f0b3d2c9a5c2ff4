"""The observer's endpoint on a run.

| request | answers |
|---|---|
| `GET /admin/runs/RUN` | some of the run's timeline: `?after=` the offset where the page before ended, `?limit=` events (200, at most 500), `?texts=yes` with what they say, for those who may act |
"""  # noqa: E501  # a table

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import orjson

from greenroom.admin.guard import Guard
from greenroom.admin.runs_door import RUNS
from greenroom.delivery.events.ids import RunId, named
from greenroom.delivery.events.kinds import TERMINAL
from greenroom.delivery.history.run_page import ReadRunPage, RunPage
from greenroom.delivery.history.timeline import Moment, ending_of
from greenroom.delivery.history.timeline_json import moment_as_json
from greenroom.delivery.journal.journal import Journal
from greenroom.observer.asking import number_asked, texts_asked
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

SCHEMA: Final = "greenroom.run/1"
USUAL: Final = 200
MOST: Final = 500
LATEST: Final = 2**53
_NAMES: Final = ("tool_name", "agent")
"""What the data of an event has that is no text of a user's or an agent's."""


@attrs.frozen
class TimelinesDoor:
    """Answers visitors that were checked."""

    journal: Journal
    guard: Guard

    def routes(self) -> Mapping[str, Handler]:
        """The route to add to an admin door."""
        return {f"{RUNS}/*": self._page}

    async def _page(self, head: RequestHead) -> Response:
        run = named(RunId.parse(head.path.rpartition("/")[2]))
        texts = texts_asked(head, self.guard)
        after = number_asked(head, "after", usual=None, most=LATEST)
        limit = max(1, number_asked(head, "limit", usual=USUAL, most=MOST) or 1)
        page = await self.journal.ask(ReadRunPage(run, after, limit), whose=run).wait()
        return json_answer(orjson.dumps(_as_json(page, texts=texts)))


def _as_json(page: RunPage, *, texts: bool) -> Mapping[str, object]:
    first = page.first
    own = [moment.event for moment in page.moments if moment.depth == 0]
    end = next((event for event in own if event.kind in TERMINAL), None)
    return {
        "schema": SCHEMA,
        "run": first.run,
        "parent": first.parent,
        "user": first.user,
        "thread": first.thread,
        "agent": page.agent,
        "began": first.at,
        "ended": end.at if end else None,
        "ending": ending_of(end.kind, end.data) if end else None,
        "goes_on": page.goes_on,
        "first": first.offset,
        "after": page.after,
        "texts": texts,
        "moments": [
            _moment(moment, size, texts=texts)
            for moment, size in zip(page.moments, page.sizes, strict=True)
        ],
    }


def _moment(moment: Moment, size: int, *, texts: bool) -> Mapping[str, object]:
    data = moment.event.data
    names = (data[name] for name in _NAMES if isinstance(data.get(name), str))
    fields = moment_as_json(moment, texts=texts)
    return {**fields, "bytes": size, "name": next(names, None)}
