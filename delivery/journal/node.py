"""Nodes: the servers that share a journal, each under a lease, and their notices (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from greenroom.delivery.events.nodes.notice import Notice


@attrs.frozen
class Node:
    """A server. `name` says where it is; `started`, and `left`, the seconds until its lease is over
    unless it is renewed, by the journal's clock: negative once it is over. `agents`: those whose
    runs it takes from the queue, for a worker. `address`: the URL where it listens, if it does."""

    number: int
    name: str
    version: str
    started: int
    left: float
    agents: Sequence[str] = ()
    address: str | None = None


@attrs.frozen
class NoticePage:
    """Notices of other nodes, and of sessions that came to this one. `place`: where the next ones
    are, in the backend's terms. `more`: whether there may be some already; `missed`: whether some
    were forgotten before they were read.
    """

    notices: Sequence[Notice]
    place: object
    more: bool = False
    missed: bool = False


class OneNode:
    """The part of `Reads` on nodes, of a journal that has one writer."""

    def nodes(self) -> list[Node]:
        return []

    def notices(self, place: object, limit: int) -> NoticePage:
        return NoticePage((), place)
