"""A chart of lines on two logarithmic axes, as the text of an SVG, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

import attrs
from side_by_side.table import Table

WIDTH, HEIGHT = 820, 460
LEFT, RIGHT, TOP, BOTTOM = 60, 200, 50, 50  # the margins
LINE = 16  # pixels between names that would overlap
STEPS = (1, 2, 5)
COLOURS = ("#8a8a8a", "#2a9d8f", "#c77d0a", "#6a994e", "#4c8dd6", "#d1495b")  # mid-tones
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 15px; }
.grid { stroke: #8886; }
path { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
path.grid, path.to { stroke-width: 1; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
</style>"""


@attrs.frozen
class Axis:
    """Places values of a logarithmic scale between two pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, steps: tuple[int, ...]) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = [step * 10.0**power for power in powers for step in steps]
        return [value for value in every if self.low <= value <= self.high]


def chart(table: Table, title: str, across: str) -> str:
    """A line for each subject; the columns are numbers, and stand along the bottom."""
    lines = {name: _points(table, name) for name in table.figures}
    columns = [x for points in lines.values() for x, _ in points]
    values = [y for points in lines.values() for _, y in points]
    x = Axis(min(columns), max(columns), LEFT, WIDTH - RIGHT)
    y = Axis(min(values) * 0.8, max(values) * 1.25, HEIGHT - BOTTOM, TOP)
    return "\n".join([*_frame(x, y, title, across), *_lines(lines, x, y), "</svg>\n"])


def _points(table: Table, subject: str) -> list[tuple[float, float]]:
    found = [(float(name.replace(",", "")), table.median(subject, name)) for name in table.columns]
    return [(x, y) for x, y in found if y is not None]


def _frame(x: Axis, y: Axis, title: str, across: str) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    yield f"<title>{escape(title)}</title>"
    yield STYLE
    yield _text(LEFT, 24, title, "start", "title")
    for value in y.ticks(STEPS):
        yield f'<path class="grid" d="M{LEFT} {y.at(value)}H{WIDTH - RIGHT}"/>'
        yield _text(LEFT - 8, y.at(value) + 4, f"{value:g}", "end")
    for value in x.ticks((1,)):
        yield f'<path class="grid" d="M{x.at(value)} {TOP}V{HEIGHT - BOTTOM}"/>'
        yield _text(x.at(value), HEIGHT - BOTTOM + 20, f"{value:,g}", "middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, "middle")


def _lines(lines: dict[str, list[tuple[float, float]]], x: Axis, y: Axis) -> Iterator[str]:
    ends = {name: y.at(points[-1][1]) for name, points in lines.items()}
    names = _spread(ends)
    for (name, points), colour in zip(lines.items(), COLOURS, strict=False):
        places = [(x.at(across), y.at(up)) for across, up in points]
        path = "L".join(f"{across} {up}" for across, up in places)
        yield f'<path stroke="{colour}" d="M{path}"/>'
        yield from (f'<circle cx="{a}" cy="{b}" r="3.5" fill="{colour}"/>' for a, b in places)
        across, up = places[-1]
        to_name = f"M{across + 6} {up}L{across + 18} {names[name]}"
        yield f'<path class="to" stroke="{colour}" d="{to_name}"/>'
        yield _text(across + 22, names[name] + 4, name, "start")


def _spread(ends: dict[str, float]) -> dict[str, float]:
    """Where the names go: from the top down, none over another."""
    places: dict[str, float] = {}
    last = -math.inf
    for name, place in sorted(ends.items(), key=lambda item: item[1]):
        last = places[name] = max(place, last + LINE)
    return places


def _text(x: float, y: float, words: str, anchor: str, style: str = "") -> str:
    chosen = f' class="{style}"' if style else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{chosen}>{escape(words)}</text>'
