"""What a visitor asks to see of the tree: which nodes, in what order, and which part of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from greenroom.admin.queries import whole_number
from greenroom.supervisor.inspection.survey import LOADS
from greenroom.transport.http.request_head import BadRequest

MOST_ROWS: Final = 200
MOST_OPEN: Final = 100


@attrs.frozen
class NodesQuery:
    """Without a `sort` and a `search`, the tree below `under`, where the nodes of `open` show their
    children. Otherwise a list: the nodes whose id contains `search`, whatever the case, and by a
    `sort` only those that carry any of it, the most first."""

    under: str = ""
    open: frozenset[str] = frozenset()
    sort: str | None = None
    search: str = ""

    @property
    def is_list(self) -> bool:
        return bool(self.sort or self.search)


@attrs.frozen
class Part:
    """The rows from an offset on, at most `limit`."""

    offset: int = 0
    limit: int = MOST_ROWS


def query_in(asked: Mapping[str, Sequence[str]]) -> NodesQuery:
    """Raises `BadRequest`."""
    sort = _last(asked, "sort")
    if sort not in (None, *LOADS):
        raise BadRequest(f"`sort` must be one of {', '.join(LOADS)}, not {sort!r:.40}.")
    opened = frozenset(asked.get("open", ()))
    if len(opened) > MOST_OPEN:
        raise BadRequest(f"At most {MOST_OPEN} nodes may be `open`, not {len(opened)}.")
    return NodesQuery(
        _last(asked, "under") or "", opened, sort, (_last(asked, "search") or "").casefold()
    )


def part_in(asked: Mapping[str, Sequence[str]]) -> Part:
    """Raises `BadRequest`."""
    limit = whole_number("limit", _last(asked, "limit") or str(MOST_ROWS), digits=9)
    offset = whole_number("offset", _last(asked, "offset") or "0", digits=9)
    return Part(offset, min(limit, MOST_ROWS))


def _last(asked: Mapping[str, Sequence[str]], name: str) -> str | None:
    return asked[name][-1] if name in asked else None
