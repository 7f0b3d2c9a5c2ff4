"""A machine as a picture: SVG out of the table alone, with no other program (pure).

As in UML's state machines: what a state takes without leaving it is listed inside its box; arrows
are labelled with the events that may lead along them, those of declared timers marked ⏱.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TypeVar

import attrs

from greenroom.actors.machine.machine import Machine
from greenroom.drawing.layered_layout import Arrow, Layout, Point, Size, lay_out

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")

CHARACTER, LINE, PAD = 7.0, 16.0, 12.0
TITLE = 26.0
MARGIN = 28.0
START = "●"
TIMER = "⏱ "
MOST_LINES = 9
"""More events than that go into further columns of a state's box or of an arrow's label."""

STYLE = """
  text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
         fill: #24313d }
  .name { font-weight: 600; font-size: 13px; text-anchor: middle }
  .box { fill: #f4f7fb; stroke: #5b7083; stroke-width: 1.4 }
  .final { fill: #eef1f4 }
  .rim { fill: none; stroke: #5b7083; stroke-width: 1 }
  .rule { stroke: #c7d2dc }
  .arrow { fill: none; stroke: #5b7083; stroke-width: 1.3 }
  .head, .start { fill: #5b7083 }
  .clock { fill: none; stroke: #a4621a; stroke-width: 1.2 }
  .label { fill: #ffffff; fill-opacity: 0.92 }
  .page { fill: #ffffff }
"""


@attrs.frozen
class Box:
    """A state: its name and the events it takes without leaving."""

    name: str
    inner: tuple[tuple[str, ...], ...]
    final: bool

    @property
    def size(self) -> Size:
        width = max(_width(self.inner), len(self.name) * 9.4 + 2 * PAD, 96.0)
        return width, TITLE + (_height(self.inner) + PAD if self.inner else 4.0)


def svg(machine: Machine[S, D, C]) -> str:
    """The machine as a stand-alone SVG document."""
    return _drawing(machine, f"<style>{STYLE}</style>")


def unstyled_svg(machine: Machine[S, D, C]) -> str:
    """The same for a page with rules of its own, which may forbid styles in a document: each state
    is a group of the class `state`, with its name in `data-state`."""
    return _drawing(machine, "")


def _drawing(machine: Machine[S, D, C], style: str) -> str:
    boxes = {state: _box(machine, state) for state in _from_the_start(machine)}
    labels = {(START, machine.initial): ()} | {
        ends: _in_columns(events) for ends, events in _moves(machine).items()
    }
    arrows = [
        Arrow(source, target, (_width(label), _height(label)) if label else (8.0, 0.0))
        for (source, target), label in labels.items()
    ]
    sizes: dict[Hashable, Size] = {START: (14.0, 14.0)}
    sizes |= {state: box.size for state, box in boxes.items()}
    layout = lay_out(sizes, arrows)
    return "\n".join(_document(machine, boxes, list(labels.values()), layout, style)) + "\n"


def _document(
    machine: Machine[S, D, C],
    boxes: Mapping[S, Box],
    labels: Sequence[tuple[tuple[str, ...], ...]],
    layout: Layout,
    style: str,
) -> Iterator[str]:
    width, height = (round(length + 2 * MARGIN) for length in layout.size)
    title = escape(f"State machine {machine.name}")
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{title}">'
    )
    yield f"<title>{title}</title>\n{style}"
    yield (
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto-start-reverse"><path class="head" d="M0 1L10 5L0 9z"/>'
        "</marker></defs>"
    )
    yield f'<rect class="page" width="{width}" height="{height}"/>'
    yield f'<g transform="translate({MARGIN:g} {MARGIN:g})">'
    yield from map(_arrow, layout.ways)
    for label, place in zip(labels, layout.labels, strict=True):
        yield from _label(label, place)
    x, y = layout.nodes[START]
    yield f'<circle class="start" cx="{x:.1f}" cy="{y:.1f}" r="7"/>'
    for state, box in boxes.items():
        yield f'<g class="state" data-state="{escape(box.name)}">'
        yield from _drawn(box, layout.nodes[state])
        yield "</g>"
    yield "</g>\n</svg>"


def _arrow(way: Sequence[Point]) -> str:
    """Upright through each layer, a curve from one to the next."""
    path = [f"M{way[0][0]:.1f} {way[0][1]:.1f}"]
    for number, ((x1, y1), (x2, y2)) in enumerate(pairwise(way)):
        middle = (y1 + y2) / 2
        if number % 2:
            path.append(f"V{y2:.1f}")
        else:
            path.append(f"C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}")
    return f'<path class="arrow" d="{"".join(path)}" marker-end="url(#head)"/>'


def _label(columns: Sequence[Sequence[str]], place: Point) -> Iterator[str]:
    if not columns:
        return
    width, height = _width(columns), _height(columns)
    x, y = place[0] - width / 2, place[1] - height / 2
    yield (
        f'<rect class="label" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="4"/>'
    )
    yield from _texts(columns, x + PAD, y)


def _drawn(box: Box, place: Point) -> Iterator[str]:
    width, height = box.size
    x, y = place[0] - width / 2, place[1] - height / 2
    kind = "box final" if box.final else "box"
    yield _rect(kind, x, y, width, height, 9)
    if box.final:
        yield _rect("rim", x - 4, y - 4, width + 8, height + 8, 12)
    title = y + (19.0 if box.inner else height / 2 + 4.5)
    yield f'<text class="name" x="{place[0]:.1f}" y="{title:.1f}">{escape(box.name)}</text>'
    if box.inner:
        yield (
            f'<line class="rule" x1="{x:.1f}" x2="{x + width:.1f}" y1="{y + TITLE + 2:.1f}" '
            f'y2="{y + TITLE + 2:.1f}"/>'
        )
        yield from _texts(box.inner, x + PAD, y + TITLE + 5)


def _rect(kind: str, x: float, y: float, width: float, height: float, radius: int) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{radius}"/>'
    )


def _texts(columns: Sequence[Sequence[str]], x: float, y: float) -> Iterator[str]:
    for column in columns:
        for number, line in enumerate(column):
            yield from _text(line, x, y + 13 + number * LINE)
        x += _column_width(column) + 2 * PAD


def _text(line: str, x: float, y: float) -> Iterator[str]:
    """Fonts often lack ⏱, so the clock of a timer is drawn."""
    if line.startswith(TIMER):
        yield f'<g class="clock" transform="translate({x + 5:.1f} {y - 4:.1f})">'
        yield '<circle r="4.6"/><path d="M0 -2.6V0H2.2M-1.4 -6.4H1.4"/></g>'
        line, x = line.removeprefix(TIMER), x + 14
    yield f'<text x="{x:.1f}" y="{y:.1f}">{escape(line)}</text>'


def _from_the_start(machine: Machine[S, D, C]) -> list[S]:
    """States in the order of a walk from the initial one, ends last: the order of their layers."""
    found = [machine.initial]
    for state in found:
        found += dict.fromkeys(
            target
            for source, _, target in machine.edges()
            if source is state and target is not None and target not in found
        )
    return [state for state in found if state not in machine.final] + [
        state for state in machine.states if state in machine.final
    ]


def _moves(machine: Machine[S, D, C]) -> dict[tuple[object, object], list[str]]:
    moves: dict[tuple[object, object], list[str]] = {}
    for source, event, target in machine.edges():
        if target is not None and target is not source:
            moves.setdefault((source, target), []).append(_event(machine, event))
    return moves


def _box(machine: Machine[S, D, C], state: S) -> Box:
    stays = [
        _event(machine, event) for event, row in machine.takes(state).items() if row.to <= {state}
    ]
    return Box(state.name, _in_columns(stays), state in machine.final)


def _event(machine: Machine[S, D, C], event: type[object]) -> str:
    return f"{TIMER}{event.__name__}" if event in (machine.timers or ()) else event.__name__


def _in_columns(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    count = -(-len(names) // MOST_LINES) or 1
    length = -(-len(names) // count) or 1
    return tuple(tuple(names[i : i + length]) for i in range(0, len(names), length))


def _column_width(column: Sequence[str]) -> float:
    return max(len(line) for line in column) * CHARACTER


def _width(columns: Sequence[Sequence[str]]) -> float:
    return sum(_column_width(column) + 2 * PAD for column in columns)


def _height(columns: Sequence[Sequence[str]]) -> float:
    return max((len(column) for column in columns), default=0) * LINE + 4
