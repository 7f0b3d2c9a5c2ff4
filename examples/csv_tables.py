"""Tables as people send them: unpacked, and read into typed columns. (pure)

A cell is a number or a date only if it can be read in one way; what is left out gets a note.
"""

from __future__ import annotations

import base64
import binascii
import csv
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import zip_longest
from typing import Any  # a cell

MAX_BYTES, MAX_ROWS, MAX_COLUMNS, MAX_SHOWN = 8 * 1024 * 1024, 200_000, 100, 80
DAMAGED = "It was damaged on the way: it cannot be unpacked."
TOO_LARGE = f"I can take {MAX_BYTES // 1024**2} MiB, {MAX_ROWS:,} rows and {MAX_COLUMNS} columns."
EMPTY = {"", "-", "–", "—", "n/a", "na", "nan", "null", "none", "#n/a", "?"}
TOTALS = {"total", "totals", "grand total", "subtotal", "sum"}
# A float holds 15 digits; “007” is a name.
NUMBER = re.compile(
    r"([-+−]?)\s?[$€£¥]?\s?((?!0[\d,])(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,15})?)"
    r"\s?[%$€£¥]?"
)
TWO_WAYS = re.compile(r"[^\d.,]*[1-9]\d{0,2}[.,]\d{3}[^\d.,]*")  # 1,234 or 1.234
DATE_FORMATS = ("%Y-%m-%d", "%Y-%m", "%Y/%m/%d", "%d.%m.%Y", "%b %Y")  # 3/4/2026 is two days


class UnreadableTable(Exception):
    """The table cannot be read; the message says why, in words for its owner."""


@dataclass(frozen=True)
class Column:
    """One column: its float, date or str values by `kind`, None where a cell is empty."""

    name: str
    kind: str  # number, date or text
    values: Sequence[Any]
    unit: str = ""
    notes: Sequence[str] = ()

    def filled(self) -> list[Any]:
        return [value for value in self.values if value is not None]


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
    names = [] if not rows or any(is_data(cell) for cell in rows[0]) else rows[0]
    body = rows[bool(names) :]
    width = max(map(len, rows), default=0)
    if not body:
        raise UnreadableTable("It has no rows under its header." if names else "It is empty.")
    if len(body) > MAX_ROWS or width > MAX_COLUMNS:
        raise UnreadableTable(TOO_LARGE)
    heads = [*map(clip, names), *[""] * (width - len(names))]
    columns = [
        read_column(name or f"column {number}", cells)
        for number, (name, *cells) in enumerate(zip_longest(heads, *body, fillvalue=""), start=1)
    ]
    return Table(len(body), columns, list(table_notes(rows, width, has_header=bool(names))))


def parse(text: str) -> list[list[str]]:
    """Text → the rows that hold something, by the delimiter that is most frequent in the first."""
    lines = text.removeprefix("\ufeff").strip().splitlines(keepends=True) or [""]
    try:
        parsed = csv.reader(lines, delimiter=max(",;\t|", key=lines[0].count))
        return [row for cells in parsed if any(row := [cell.strip() for cell in cells])]
    except csv.Error:
        raise UnreadableTable("One of its cells is too long or its quotes do not close.") from None


def table_notes(rows: list[list[str]], width: int, *, has_header: bool) -> Iterator[str]:
    if ragged := sum(len(row) != width for row in rows):
        yield f"{several(ragged, 'row')} had fewer cells than others."
    if not has_header:
        yield "The table has no header, so its columns are numbered."
    if totals := [cell for cell in rows[-1] if cell.casefold().rstrip(":") in TOTALS]:
        yield f"The last row, “{totals[0]}”, is treated like any other row."


def read_column(name: str, cells: list[str]) -> Column:
    """Numbers or dates if nine of ten filled cells are; all other cells then count as empty."""
    filled = [cell for cell in cells if cell.casefold() not in EMPTY]
    sample = filled[:: max(1, len(filled) // 200)]
    for kind, read in READINGS:
        if sum(read(cell) is not None for cell in sample) >= max(1.0, 0.9 * len(sample)):
            pairs = [(cell, read(cell)) for cell in cells]
            counted = [cell for cell, value in pairs if value is not None]
            units = sorted({unit_of(cell) for cell in counted})
            odd = [c for c, value in pairs if value is None and c.casefold() not in EMPTY]
            notes = list(column_notes(name, kind, odd, counted, units))
            unit = units[0] if len(units) == 1 else ""
            return Column(name, kind, [value for _, value in pairs], unit, notes)
    return Column(name, "text", [cell or None for cell in cells])


def column_notes(
    name: str, kind: str, odd: list[str], counted: list[str], units: list[str]
) -> Iterator[str]:
    """Which cells do not count, and what others may mean as well: 1.234 or 1,234."""
    marked = [cell for cell in counted if "," in cell or "." in cell] if kind == "number" else []
    if odd:
        what = f"{several(len(odd), 'cell')} of {name}"
        yield f"{what} count as empty because they hold no {kind}: “{clip(odd[0])}”."
    if len(units) > 1:
        mixed = " and ".join(unit or "no unit" for unit in units)
        yield f"{name} mixes {mixed}; its numbers are not converted."
    if marked and all(TWO_WAYS.fullmatch(cell) for cell in marked):
        yield f"In {name} (“{marked[0]}”), commas are read as thousands and points as decimals."


def to_number(cell: str) -> float | None:
    """“1,234.50”, “-$12”, “12%” → float; anything else, “1.234,50” too → None."""
    found = NUMBER.fullmatch(cell)
    return float(found[1].replace("−", "-") + found[2].replace(",", "")) if found else None


def unit_of(cell: str) -> str:
    mark = re.search(r"[%$€£¥]", cell)
    return mark[0] if mark else ""


def to_date(form: str, cell: str) -> date | None:
    day = re.sub(r"[T ]\d\d?:\d\d.*$", "", cell, flags=re.DOTALL)
    try:
        return datetime.strptime(day, form).date() if 6 <= len(cell) <= 35 else None
    except ValueError:
        return None


READINGS: list[tuple[str, Callable[[str], float | date | None]]] = [
    ("number", to_number),
    *(("date", partial(to_date, form)) for form in DATE_FORMATS),
]


def is_data(cell: str) -> bool:
    """True for a number or a date; a year may well be the name of a column."""
    year = re.fullmatch(r"(19|20)\d\d", cell)
    return not year and any(read(cell) is not None for _, read in READINGS)


def clip(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def several(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
