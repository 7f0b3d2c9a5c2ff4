"""Circles in a directed graph (Tarjan 1972: strongly connected components)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

Graph = Mapping[str, Sequence[str]]


def circles_of(graph: Graph) -> list[list[str]]:
    """The names that reach each other, sorted, circle by circle."""
    walk = _Walk(graph)
    return [found for name in graph if name not in walk.index for found in walk.visit(name)]


@attrs.define
class _Walk:
    """`low` is the earliest visited name that a name reaches; the stack holds open components."""

    graph: Graph
    index: dict[str, int] = attrs.Factory(dict)
    low: dict[str, int] = attrs.Factory(dict)
    stack: list[str] = attrs.Factory(list)

    def visit(self, name: str) -> Iterator[list[str]]:
        self.index[name] = self.low[name] = len(self.index)
        self.stack.append(name)
        for other in self.graph.get(name, ()):
            if other not in self.index:
                yield from self.visit(other)
            if other in self.stack:
                self.low[name] = min(self.low[name], self.low[other])
        if self.low[name] == self.index[name]:
            yield from self._close(name)

    def _close(self, name: str) -> Iterator[list[str]]:
        at = self.stack.index(name)
        component = sorted(self.stack[at:])
        del self.stack[at:]
        if len(component) > 1:
            yield component
