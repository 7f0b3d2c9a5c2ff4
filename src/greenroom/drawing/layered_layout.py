"""Places for the boxes and arrows of a diagram, in layers from top to bottom (pure).

Sugiyama's method: break cycles, give each node a layer, order the layers so that few arrows cross
(barycentres), then push nodes apart. Labels of arrows are nodes too, so nothing overlaps.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

import attrs

N = TypeVar("N", bound=Hashable)
Point = tuple[float, float]
Size = tuple[float, float]

SWEEPS = 24
GAP_X, GAP_Y = 28.0, 30.0


@attrs.frozen
class Arrow:
    """From one node to another; `label` is the size its label needs."""

    source: Hashable
    target: Hashable
    label: Size


@attrs.frozen
class Layout:
    """Middles of nodes, and of labels by the arrow's number; the corners each arrow goes through.

    An arrow is upright within a layer: after its start come, for each layer it passes, where it
    enters and where it leaves that, and then its end.
    """

    nodes: Mapping[Hashable, Point]
    labels: Sequence[Point]
    ways: Sequence[tuple[Point, ...]]
    size: Size


def lay_out(nodes: Mapping[N, Size], arrows: Sequence[Arrow]) -> Layout:
    """Lay out `nodes` (sizes, the first on top) and `arrows` between different ones."""
    ranks = _ranks(list(nodes), arrows)
    sizes: dict[Hashable, Size] = {}
    sizes.update(nodes.items())
    layer_of: dict[Hashable, int] = {node: 2 * rank for node, rank in ranks.items()}
    chains = [_chain(number, arrow, layer_of, sizes) for number, arrow in enumerate(arrows)]
    downward = [layer_of[arrow.source] < layer_of[arrow.target] for arrow in arrows]
    layers = _ordered(layer_of, chains)
    xs = _columns(layers, chains, sizes)
    ys, heights = _rows(layers, sizes)
    places = {node: (xs[node], ys[layer_of[node]]) for node in layer_of}
    ports = _ports(chains, downward, xs, sizes)
    return Layout(
        {node: places[node] for node in nodes},
        [places[_label(number)] for number in range(len(arrows))],
        [
            _way(number, chain, places, ports, heights, layer_of, sizes)
            for number, chain in enumerate(chains)
        ],
        (max(xs[node] + sizes[node][0] / 2 for node in xs), ys[-1] + heights[-1] / 2),
    )


def _way(
    number: int,
    chain: Sequence[Hashable],
    places: Mapping[Hashable, Point],
    ports: Mapping[tuple[int, Hashable], float],
    heights: Sequence[float],
    layer_of: Mapping[Hashable, int],
    sizes: Mapping[Hashable, Size],
) -> tuple[Point, ...]:
    down = 1 if layer_of[chain[-1]] > layer_of[chain[0]] else -1
    first, last = chain[0], chain[-1]
    way = [(ports[number, first], places[first][1] + down * sizes[first][1] / 2)]
    for node in chain[1:-1]:
        (x, y), half = places[node], down * heights[layer_of[node]] / 2
        way += [(x, y - half), (x, y + half)]
    return (*way, (ports[number, last], places[last][1] - down * sizes[last][1] / 2))


def _ports(
    chains: Sequence[Sequence[Hashable]],
    downward: Sequence[bool],
    xs: Mapping[Hashable, float],
    sizes: Mapping[Hashable, Size],
) -> dict[tuple[int, Hashable], float]:
    """Where each arrow leaves and enters: spread over a side, in the order they come from."""
    sides: dict[tuple[Hashable, bool], list[tuple[float, int]]] = {}
    for number, (chain, below) in enumerate(zip(chains, downward, strict=True)):
        sides.setdefault((chain[0], below), []).append((xs[chain[1]], number))
        sides.setdefault((chain[-1], not below), []).append((xs[chain[-2]], number))
    ports: dict[tuple[int, Hashable], float] = {}
    for (node, _), ends in sides.items():
        room = sizes[node][0] * 0.7
        step = min(22.0, room / len(ends))
        for place, (_, number) in enumerate(sorted(ends)):
            ports[number, node] = xs[node] + (place - (len(ends) - 1) / 2) * step
    return ports


def _label(number: int) -> Hashable:
    return ("label", number)


def _ranks(nodes: Sequence[Hashable], arrows: Sequence[Arrow]) -> dict[Hashable, int]:
    """Longest way from the first node, arrows that lead back (to earlier in `nodes`) turned."""
    order = {node: place for place, node in enumerate(nodes)}
    forward = {tuple(sorted((a.source, a.target), key=order.__getitem__)) for a in arrows}
    ranks = dict.fromkeys(nodes, 0)
    for node in nodes:  # their order is topological once arrows point forward
        before = [ranks[source] + 1 for source, target in forward if target == node]
        ranks[node] = max(before, default=0)
    return ranks


def _chain(
    number: int, arrow: Arrow, layer_of: dict[Hashable, int], sizes: dict[Hashable, Size]
) -> tuple[Hashable, ...]:
    """The nodes an arrow passes: its label in the middle layer, joints in the others."""
    start, end = layer_of[arrow.source], layer_of[arrow.target]
    step = 1 if end > start else -1
    between = list(range(start + step, end, step))
    middle = between[len(between) // 2] if len(between) % 2 else between[0]
    chain: list[Hashable] = [arrow.source]
    for layer in between:
        node = _label(number) if layer == middle else ("joint", number, layer)
        sizes[node] = arrow.label if layer == middle else (12.0, 0.0)
        layer_of[node] = layer
        chain.append(node)
    return (*chain, arrow.target)


def _ordered(
    layer_of: Mapping[Hashable, int], chains: Sequence[Sequence[Hashable]]
) -> list[list[Hashable]]:
    layers: list[list[Hashable]] = [[] for _ in range(max(layer_of.values(), default=0) + 1)]
    for node, layer in layer_of.items():
        layers[layer].append(node)
    neighbours = _neighbours(chains)
    best, fewest = layers, _crossings(layers, chains)
    for sweep in range(SWEEPS):
        layers = [list(layer) for layer in layers]
        down = sweep % 2 == 0
        for index in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            _sort_by_barycentre(layers, index, index - 1 if down else index + 1, neighbours)
        crossings = _crossings(layers, chains)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _neighbours(chains: Sequence[Sequence[Hashable]]) -> dict[Hashable, list[Hashable]]:
    found: dict[Hashable, list[Hashable]] = {}
    for chain in chains:
        for one, other in pairwise(chain):
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
    return found


def _sort_by_barycentre(
    layers: list[list[Hashable]],
    index: int,
    fixed: int,
    neighbours: Mapping[Hashable, Sequence[Hashable]],
) -> None:
    place = {node: number for number, node in enumerate(layers[fixed])}
    own = {node: number for number, node in enumerate(layers[index])}

    def barycentre(node: Hashable) -> float:
        near = [place[other] for other in neighbours.get(node, ()) if other in place]
        return sum(near) / len(near) if near else own[node]

    layers[index].sort(key=barycentre)


def _crossings(layers: Sequence[Sequence[Hashable]], chains: Sequence[Sequence[Hashable]]) -> int:
    layer_of = {node: index for index, layer in enumerate(layers) for node in layer}
    place = {node: number for layer in layers for number, node in enumerate(layer)}
    segments: dict[int, list[tuple[int, int]]] = {}
    for chain in chains:
        for pair in pairwise(chain):
            upper, lower = sorted(pair, key=layer_of.__getitem__)
            segments.setdefault(layer_of[upper], []).append((place[upper], place[lower]))
    return sum(
        (a - c) * (b - d) < 0
        for same in segments.values()
        for number, (a, b) in enumerate(same)
        for c, d in same[number + 1 :]
    )


def _columns(
    layers: Sequence[Sequence[Hashable]],
    chains: Sequence[Sequence[Hashable]],
    sizes: Mapping[Hashable, Size],
) -> dict[Hashable, float]:
    """Middles from the left: pulled to the mean of their neighbours, then pushed apart."""
    neighbours = _neighbours(chains)
    xs: dict[Hashable, float] = {}
    for layer in layers:
        _push_apart(layer, dict.fromkeys(layer, 0.0), sizes, xs)
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 else reversed(layers):
            wished = {
                node: sum(xs[each] for each in near) / len(near)
                if (near := neighbours.get(node))
                else xs[node]
                for node in layer
            }
            _push_apart(layer, wished, sizes, xs)
    left = min(xs[node] - sizes[node][0] / 2 for node in xs)
    return {node: x - left for node, x in xs.items()}


def _push_apart(
    layer: Sequence[Hashable],
    wished: Mapping[Hashable, float],
    sizes: Mapping[Hashable, Size],
    xs: dict[Hashable, float],
) -> None:
    """As near to what is wished as their widths allow: clusters that touch move as one."""
    clusters: list[list[float]] = []  # [sum of wishes, count], of nodes shifted to lie at one point
    offsets, offset = [], 0.0
    for number, node in enumerate(layer):
        if number:
            offset += (sizes[layer[number - 1]][0] + sizes[node][0]) / 2 + GAP_X
        offsets.append(offset)
        clusters.append([wished[node] - offset, 1])
        while len(clusters) > 1 and _mean(clusters[-2]) > _mean(clusters[-1]):
            total, count = clusters.pop()
            clusters[-1][0] += total
            clusters[-1][1] += count
    means = [_mean(cluster) for cluster in clusters for _ in range(int(cluster[1]))]
    for node, mean, shift in zip(layer, means, offsets, strict=True):
        xs[node] = mean + shift


def _mean(cluster: Sequence[float]) -> float:
    return cluster[0] / cluster[1]


def _rows(
    layers: Sequence[Sequence[Hashable]], sizes: Mapping[Hashable, Size]
) -> tuple[list[float], list[float]]:
    """The middle of each layer from the top, and its height."""
    heights = [max((sizes[node][1] for node in layer), default=0.0) for layer in layers]
    ys, top = [], 0.0
    for height in heights:
        ys.append(top + height / 2)
        top += height + GAP_Y
    return ys, heights
