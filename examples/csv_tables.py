"""Tables as people send them: unpacked, and read into typed columns. (pure)"""

from __future__ import annotations

import base64
import binascii
import csv
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest

from csv_cells import DATE_FORMATS, EMPTY, clip, is_data, several, to_date, to_number, unit_of

MAX_BYTES, MAX_ROWS, MAX_COLUMNS, MAX_NOTES = 8 * 1024 * 1024, 200_000, 100, 5
DAMAGED = "It was damaged on the way: it cannot be unpacked."
TOO_LARGE = f"I can take {MAX_BYTES // 1024**2} MiB, {MAX_ROWS:,} rows and {MAX_COLUMNS} columns."


class UnreadableTable(Exception):
    """The table cannot be read; the message says why, in words for its owner."""


@dataclass(frozen=True)
class Column:
    """One column: its values by `kind` (number, date or text), None where a cell is empty."""

    name: str
    kind: str
    values: Sequence[float | date | str | None]
    unit: str = ""

    def filled(self) -> list[float | date | str]:
        return [value for value in self.values if value is not None]

    def numbers(self) -> list[float]:
        return [value for value in self.values if isinstance(value, float)]


@dataclass(frozen=True)
class Table:
    rows: int
    columns: Sequence[Column]
    notes: Sequence[str] = ()

    def of_kind(self, kind: str) -> list[Column]:
        return [column for column in self.columns if column.kind == kind]


def load_table(attached: Mapping[str, object]) -> Table:
    """Unpack and read an attached table; raises UnreadableTable."""
    packed, text = attached.get("gzip"), attached.get("csv")
    if isinstance(packed, str):
        text = unpack(packed).decode("utf-8-sig", errors="replace")
    if not isinstance(text, str):
        raise UnreadableTable("Nothing was attached that I can read as a table.")
    if len(text) > MAX_BYTES:
        raise UnreadableTable(TOO_LARGE)
    return read_table(text)


def unpack(packed: str) -> bytes:
    """gzip in base64 → bytes; never more than MAX_BYTES, however small the packed form is."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        data = unzip.decompress(base64.b64decode(packed, validate=True), MAX_BYTES + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise UnreadableTable(DAMAGED) from None
    if len(data) > MAX_BYTES or not unzip.eof:
        raise UnreadableTable(TOO_LARGE if len(data) > MAX_BYTES else DAMAGED)
    return data


def read_table(text: str) -> Table:
    """Text → Table; raises UnreadableTable. A first row is a header unless it holds data."""
    rows = parse(text)
    names = [] if not rows or any(is_data(cell.strip()) for cell in rows[0]) else rows[0]
    body = rows[bool(names) :]
    width = max(map(len, rows), default=0)
    if not body:
        raise UnreadableTable("It has no rows under its header." if names else "It is empty.")
    if len(body) > MAX_ROWS or width > MAX_COLUMNS:
        raise UnreadableTable(TOO_LARGE)
    ragged = sum(len(row) != width for row in rows)
    notes = [f"{several(ragged, 'row')} had fewer cells than others."] if ragged else []
    notes += [] if names else ["The table has no header, so its columns are numbered."]
    heads = [*(clip(name.strip()) for name in names), *[""] * (width - len(names))]
    columns = []
    for number, (name, *cells) in enumerate(zip_longest(heads, *body, fillvalue=""), start=1):
        columns.append(typed_column(name or f"column {number}", [cell.strip() for cell in cells]))
        notes += cell_notes(columns[-1], cells)
    return Table(len(body), columns, notes[:MAX_NOTES])


def parse(text: str) -> list[list[str]]:
    """Text → the rows that hold something, by the delimiter that is most frequent in the first."""
    lines = text.removeprefix("\ufeff").strip().splitlines(keepends=True) or [""]
    try:
        parsed = csv.reader(lines, delimiter=max(",;\t|", key=lines[0].count))
        return [row for row in parsed if any(cell.strip() for cell in row)]
    except csv.Error:
        raise UnreadableTable("One of its cells is too long or its quotes do not close.") from None


def cell_notes(column: Column, cells: list[str]) -> list[str]:
    """Which cells of a column do not count, and which units it mixes."""
    pairs = zip(cells, column.values, strict=True)
    odd = [cell for cell, value in pairs if value is None and cell.strip().casefold() not in EMPTY]
    units = sorted({mark for cell in cells if (mark := unit_of(cell))})
    notes = []
    if odd:
        what = f"{several(len(odd), 'cell')} of {column.name}"
        notes.append(f"{what} count as empty because they hold no {column.kind}: “{clip(odd[0])}”.")
    if column.kind == "number" and len(units) > 1:
        notes.append(f"{column.name} mixes {' and '.join(units)}; its numbers are not converted.")
    return notes


def typed_column(name: str, cells: list[str]) -> Column:
    """Numbers or dates if nine of ten filled cells are; all other cells then count as empty."""
    filled = [cell for cell in cells if cell.casefold() not in EMPTY]
    sample = filled[:: max(1, len(filled) // 200)]
    needed = max(1.0, 0.9 * len(sample))
    if sum(to_number(cell) is not None for cell in sample) >= needed:
        units = Counter(mark for cell in sample if (mark := unit_of(cell)))
        unit = next((mark for mark, n in units.items() if n >= needed), "")
        return Column(name, "number", [to_number(cell) for cell in cells], unit)
    for form in DATE_FORMATS:
        if sum(to_date(cell, form) is not None for cell in sample) >= needed:
            return Column(name, "date", [to_date(cell, form) for cell in cells])
    return Column(name, "text", [clip(cell) if cell else None for cell in cells])
