"""Nodes: the servers that share a journal, each under a lease (pure)."""

from __future__ import annotations

import attrs


@attrs.frozen
class Node:
    """A server. `name` says where it is; `started`, and `left`, the seconds until its lease is over
    unless it is renewed, by the journal's clock: negative once it is over."""

    number: int
    name: str
    version: str
    started: int
    left: float
