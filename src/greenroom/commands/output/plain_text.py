"""Output that does not go to a terminal: the same words without boxes, colours and width.

A table's row is one line: nothing is wrapped or cut short. Columns are two spaces apart and as wide
as the table says, else as their cells are, up to `WIDEST`; what is longer sticks out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

from greenroom.actors.text.wording import a

WIDEST: Final = 60
GAP: Final = "  "


def plain_lines(renderable: RenderableType) -> Iterator[str]:
    """The lines of a text, table, tree, group, rule or padded one of these."""
    match renderable:
        case str() | Text():
            yield from str(renderable).split("\n")
        case Table():
            yield from _table_lines(renderable)
        case Tree():
            yield from _tree_lines(renderable)
        case Group():
            for each in renderable.renderables:
                yield from plain_lines(each)
        case Padding():
            for line in plain_lines(renderable.renderable):
                yield " " * renderable.left + line
        case Rule():
            yield f"{renderable.title}:"
        case _:
            raise TypeError(f"there is no plain form of {a(type(renderable).__name__)} yet")


def _tree_lines(tree: Tree) -> Iterator[str]:
    """Children further in than their parents, however deep."""
    left = [(0, tree)]
    while left:
        depth, node = left.pop()
        for line in plain_lines(node.label):
            yield GAP * depth + line
        left += [(depth + 1, child) for child in reversed(node.children)]


def _table_lines(table: Table) -> Iterator[str]:
    columns = [_Column(each, table.show_header) for each in table.columns]
    for cells in zip(*(column.cells for column in columns), strict=True):
        fitted = (column.fit(cell) for column, cell in zip(columns, cells, strict=True))
        yield GAP.join(fitted).rstrip()


class _Column:
    """A column's cells, the heading among them, each in one line."""

    def __init__(self, column: Column, heading: bool) -> None:
        cells = [*([column.header] if heading else []), *column.cells]
        self.cells = ["; ".join(plain_lines(each)) for each in cells]
        self._width = column.width or column.min_width or self._widest()
        self._right = column.justify == "right"

    def _widest(self) -> int:
        return min(max(map(cell_len, self.cells), default=0), WIDEST)

    def fit(self, cell: str) -> str:
        room = " " * (self._width - cell_len(cell))
        return room + cell if self._right else cell + room
