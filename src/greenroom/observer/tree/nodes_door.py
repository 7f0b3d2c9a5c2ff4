"""The admin endpoints that show the tree in windows, so that it may have any size.

| request | answers |
|---|---|
| `GET /admin/nodes` | a window on the tree, or on a list of its nodes |
| `GET /admin/nodes/changes` | the same as an event stream: the window, then what changes in it |

In the query: `under`, the path of the node to begin with; `open`, once for each node that shows its
children; `sort` (`waiting`, `restarts`, `cpu`, `held`) or `search` for a list; `offset`, `limit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

import attrs
import orjson
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.admin.queries import asked_in
from greenroom.delivery.events.kinds import JSON
from greenroom.observer.tree.listing import Listing
from greenroom.observer.tree.lookout import Lookout
from greenroom.observer.tree.node_rows import rows_of
from greenroom.observer.tree.nodes_query import NodesQuery, Part, part_in, query_in
from greenroom.observer.tree.window_feed import WindowFeed, event, whole
from greenroom.transport.door.paths import Handler
from greenroom.transport.events.events_granted import EVENT_HEADERS
from greenroom.transport.events.sse import COMMENT
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Outlet, Response, StreamedResponse, json_answer

NODES: Final = "/admin/nodes"
CHANGES: Final = f"{NODES}/changes"

MOST_STREAMS: Final = 16
QUIET_SECONDS: Final = 10.0
"""Seconds after which a stream without changes says that it is alive."""

Admits: TypeAlias = Callable[[RequestHead], object]
"""Raises a `GreenroomError` for a visitor who is not, or no longer, admitted."""


@attrs.define(eq=False)
class NodesDoor:
    """Answers visitors that were checked. A stream ends with what `admits` its visitor, and when
    the server drains."""

    lookout: Lookout
    admits: Admits
    draining: Callable[[], bool]
    _streams: int = 0

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to an admin door."""
        return {NODES: self._nodes, CHANGES: self._changes}

    async def _nodes(self, head: RequestHead) -> Response:
        asked = asked_in(head)
        part = part_in(asked)
        surveyed, listing = await self.lookout.look(query_in(asked))
        said = whole(surveyed.at, _figures(listing, part), rows_of(listing, part))
        return json_answer(orjson.dumps(said))

    async def _changes(self, head: RequestHead) -> Response:
        asked = asked_in(head)
        if self._streams >= MOST_STREAMS or self.draining():
            raise BadRequest(
                "Too many streams of the tree are open, or the server is about to stop.",
                status=503,
                headers={"Retry-After": "5"},
            )
        write = partial(self._write, head, query_in(asked), part_in(asked))
        return StreamedResponse(200, headers=EVENT_HEADERS, write=write)

    async def _write(
        self, head: RequestHead, query: NodesQuery, part: Part, outlet: Outlet
    ) -> None:
        if self._streams >= MOST_STREAMS:  # others were granted at the same moment
            return await outlet.send(event("end", {}))
        self._streams += 1
        try:
            await self._tell_changes(head, query, part, outlet)
        finally:
            self._streams -= 1

    async def _tell_changes(
        self, head: RequestHead, query: NodesQuery, part: Part, outlet: Outlet
    ) -> None:
        feed, number, said_at = WindowFeed(), 0, trio.current_time()
        while self._goes_on(head):
            surveyed, listing = await self.lookout.look(query, after=number)
            number = surveyed.number
            message = feed.next(surveyed.at, _figures(listing, part), rows_of(listing, part))
            if not message and trio.current_time() - said_at > QUIET_SECONDS:
                message = COMMENT
            if message:
                said_at = trio.current_time()
                await outlet.send(message)
        await outlet.send(event("end", {}))

    def _goes_on(self, head: RequestHead) -> bool:
        try:
            self.admits(head)
        except GreenroomError:
            return False
        return not self.draining()


def _figures(listing: Listing, part: Part) -> dict[str, JSON]:
    return {
        "found": listing.top is not None,
        "total": len(listing.places),
        "offset": part.offset,
        "cpu_measured": listing.survey.measures_cpu,
    }
