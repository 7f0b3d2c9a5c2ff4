"""Tables as people send them: unpacked, decoded, and read into typed columns. (pure)"""

from __future__ import annotations

import base64
import binascii
import csv
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile

from csv_cells import DATE_FORMATS, clip, is_data, several, to_date, to_number, unit_of

MAX_BYTES = 8 * 1024 * 1024  # of a table, unpacked
MAX_ROWS, MAX_COLUMNS = 200_000, 100
MAX_TITLES, MAX_CELL_NOTES = 5, 5


class UnreadableTable(Exception):
    """The table cannot be read; the message says why, in words for its owner."""


@dataclass(frozen=True)
class Column:
    """One column: its values by `kind` (number, date or text), None where it is empty."""

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

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def of_kind(self, kind: str) -> list[Column]:
        return [column for column in self.columns if column.kind == kind]


def load_table(attached: Mapping[str, object]) -> Table:
    """Unpack, decode and read an attached table; raises UnreadableTable."""
    packed = attached.get("gzip")
    text = attached.get("csv")
    if isinstance(packed, str):
        text = decode(unpack(packed))
    if not isinstance(text, str):
        raise UnreadableTable("Nothing was attached that I can read as a table.")
    if len(text) > MAX_BYTES:
        raise too_large()
    return read_table(text)


def too_large() -> UnreadableTable:
    return UnreadableTable(f"It is larger than the {MAX_BYTES // 1024**2} MiB I can take.")


def unpack(packed: str) -> bytes:
    """gzip in base64 → bytes; never more than MAX_BYTES, however small the packed form is."""
    try:
        unzip = zlib.decompressobj(wbits=31)
        data = unzip.decompress(base64.b64decode(packed, validate=True), MAX_BYTES + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise UnreadableTable("It was damaged on the way: it cannot be unpacked.") from None
    if len(data) > MAX_BYTES:
        raise too_large()
    if not unzip.eof:
        raise UnreadableTable("It was cut short on the way: its end is missing.")
    return data


def decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def read_table(text: str) -> Table:
    """Text → Table: finds the delimiter, header and kinds, evens out ragged rows."""
    if "\0" in text[:4096]:
        raise UnreadableTable("It holds binary data, not text.")
    rows = parse(text)
    if not rows:
        raise UnreadableTable("It is empty.")
    titles = title_rows(rows)
    names, body = split_header(rows[len(titles) :])
    if not body:
        raise UnreadableTable("It has a header but no rows.")
    return build_table(names, body, [f"I skipped “{clip(t)}” above the header." for t in titles])


def parse(text: str) -> list[list[str]]:
    """Text → the rows that hold something."""
    lines = plain_lines(text.removeprefix("\ufeff").splitlines(keepends=True))
    told = re.fullmatch(r'"?sep=(.)"?\s*', lines[0], re.IGNORECASE) if lines else None  # Excel's
    lines = lines[1:] if told else lines
    try:
        parsed = csv.reader(lines, delimiter=told[1] if told else delimiter_of(lines))
        return [row for row in parsed if any(cell.strip() for cell in row)]
    except csv.Error:
        raise UnreadableTable("One of its cells is too long or its quotes do not close.") from None


def plain_lines(lines: list[str]) -> list[str]:
    """Of a Markdown table, what stands between the outer bars; other lines as they are."""
    if not all(re.match(r"\s*\|.*\|\s*$", line) for line in lines if line.strip()):
        return lines
    bare = [line.strip().strip("|") for line in lines if line.strip()]
    return [line for line in bare if not re.fullmatch(r"[-:|\s]+", line)]


def title_rows(rows: list[list[str]]) -> list[str]:
    """Titles above the header: rows of a first cell alone, in a table of several columns."""
    width = Counter(sum(map(bool, row)) for row in rows[:50]).most_common(1)[0][0]
    alone = takewhile(lambda row: row[0].strip() and not any(row[1:]), rows[:MAX_TITLES])
    return [row[0].strip() for row in alone] if width > 1 else []


def delimiter_of(lines: Sequence[str]) -> str:
    """The delimiter that cuts the first lines into the most columns, most evenly."""

    def score(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines[:50], delimiter=delimiter) if row]
        width, times = Counter(widths).most_common(1)[0] if widths else (1, 0)
        return (times / len(widths) if width > 1 else 0.0), width

    return max((",", ";", "\t", "|"), key=score)


def split_header(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """A first row is a header unless a cell of it is data; a year may well be a column's name."""
    first = [cell.strip() for cell in rows[0]]
    years = re.compile(r"(19|20)\d\d")
    if any(is_data(cell) and not years.fullmatch(cell) for cell in first):
        return [], rows
    return first, rows[1:]


def build_table(names: list[str], body: list[list[str]], notes: list[str]) -> Table:
    widest = max(map(len, [names, *body]))
    width = min(widest, MAX_COLUMNS)
    if widest > width:
        notes.append(f"Only the first {width} of {widest:,} columns were read.")
    ragged = sum(len(row) != (len(names) or widest) for row in body)
    if ragged:
        notes.append(f"{several(ragged, 'row')} had missing or extra cells.")
    if len(body) > MAX_ROWS:
        notes.append(f"Only the first {MAX_ROWS:,} of {len(body):,} rows were read.")
        body = body[:MAX_ROWS]
    if not names:
        notes.append("The table has no header, so its columns are numbered.")
    columns = []
    for index, name in enumerate(unique_names(names, width)):
        cells = [row[index].strip() if index < len(row) else "" for row in body]
        columns.append(column := typed_column(name, cells))
        notes += cell_notes(column, cells)
    return Table(len(body), columns, tuple(at_most(MAX_CELL_NOTES, notes)))


def at_most(most: int, notes: list[str]) -> list[str]:
    more = len(notes) - most
    return notes if more <= 0 else [*notes[:most], f"And {several(more, 'more note')} like these."]


EMPTY = {"", "-", "–", "—", "n/a", "na", "nan", "null", "none", "#n/a", "?"}


def cell_notes(column: Column, cells: list[str]) -> Iterator[str]:
    """What is not counted in a column, or would be if more of its cells could be read."""
    filled = [cell for cell in cells if cell.casefold() not in EMPTY]
    if column.kind == "text":
        numbers = sum(to_number(cell) is not None for cell in filled)
        if 2 * numbers >= len(filled) > 0:
            words = f"only {numbers:,} of {several(len(filled), 'cell')} are numbers"
            yield f"{column.name} is read as text: {words}."
        return
    held = zip(cells, column.values, strict=True)
    odd = [cell for cell, value in held if value is None and cell.casefold() not in EMPTY]
    if odd:
        words = f"{several(len(odd), 'cell')} of {column.name}"
        yield f"{words} counted as empty, being no {column.kind}: “{clip(odd[0])}”."
    units = sorted({mark for cell in filled if (mark := unit_of(cell))})
    if column.kind == "number" and len(units) > 1:
        yield f"{column.name} mixes {' and '.join(units)}; I take its numbers as they stand."


def unique_names(names: list[str], width: int) -> list[str]:
    taken: Counter[str] = Counter()
    unique = []
    for index in range(width):
        name = clip((names[index] if index < len(names) else "") or f"column {index + 1}")
        taken[name] += 1
        unique.append(name if taken[name] == 1 else f"{name} ({taken[name]})")
    return unique


def typed_column(name: str, cells: list[str]) -> Column:
    """Numbers or dates when nine cells of ten are; whatever else stands there counts as empty."""
    filled = [cell for cell in cells if cell.casefold() not in EMPTY]
    sample = filled[:: max(1, len(filled) // 200)]
    needed = 0.9 * len(sample)
    if sample and sum(to_number(cell) is not None for cell in sample) >= needed:
        units = Counter(mark for cell in sample if (mark := unit_of(cell)))
        unit = next((mark for mark, n in units.items() if n >= needed), "")
        return Column(name, "number", [to_number(cell) for cell in cells], unit)
    fits = {form: sum(to_date(cell, form) is not None for cell in sample) for form in DATE_FORMATS}
    best = max(DATE_FORMATS, key=lambda form: fits[form])
    if sample and fits[best] >= needed:
        return Column(name, "date", [to_date(cell, best) for cell in cells])
    return Column(name, "text", [clip(cell) if cell else None for cell in cells])
