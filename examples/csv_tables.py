"""Tables as people send them: unpacked, decoded, and read into typed columns. (pure)"""

from __future__ import annotations

import base64
import binascii
import csv
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

MAX_BYTES = 8 * 1024 * 1024  # of a table, unpacked
MAX_ROWS, MAX_COLUMNS, MAX_CELL = 200_000, 100, 80
MAX_NUMBER = 1e100  # sums and squares of these stay finite


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
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    try:
        parsed = csv.reader(lines, delimiter=delimiter_of(lines))
        rows = [row for row in parsed if any(cell.strip() for cell in row)]
    except csv.Error:
        raise UnreadableTable("One of its cells is too long or its quotes do not close.") from None
    if not rows:
        raise UnreadableTable("It is empty.")
    names, body = split_header(rows)
    if not body:
        raise UnreadableTable("It has a header but no rows.")
    return build_table(names, body)


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


def is_data(cell: str) -> bool:
    return to_number(cell) is not None or any(to_date(cell, form) for form in DATE_FORMATS)


def build_table(names: list[str], body: list[list[str]]) -> Table:
    width = min(max(map(len, [names, *body])), MAX_COLUMNS)
    ragged = sum(len(row) != (len(names) or width) for row in body)
    notes = [f"{ragged:,} rows had missing or extra cells."] if ragged else []
    if len(body) > MAX_ROWS:
        notes.append(f"Only the first {MAX_ROWS:,} of {len(body):,} rows were read.")
        body = body[:MAX_ROWS]
    if not names:
        notes.append("The table has no header, so its columns are numbered.")
    cells = ([row[i].strip() if i < len(row) else "" for row in body] for i in range(width))
    columns = [typed_column(n, c) for n, c in zip(unique_names(names, width), cells, strict=True)]
    return Table(len(body), columns, tuple(notes))


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
    filled = [cell for cell in cells if cell]
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


NUMBER = re.compile(
    r"(?P<open>\()?(?P<sign>[-+−]?)(?:[$€£¥]|[A-Z]{3}(?=[\s\d-]))?\s?(?P<late>[-−]?)"
    r"(?P<digits>\d[\d.,' \u00a0\u202f]*|[.,]\d+)(?P<exp>[eE][-+]?\d{1,3})?"
    r"\s?(?:[%$€£¥]|[A-Z]{3})?(?P<close>\))?"
)


def to_number(cell: str) -> float | None:
    """“1,234.50”, “1.234,50 €”, “-$12”, “(12)”, “12%” → float; anything else → None."""
    found = NUMBER.fullmatch(cell) if len(cell) <= 40 and cell.isprintable() else None
    if not found or bool(found["open"]) != bool(found["close"]):
        return None
    if found["sign"] and found["late"]:
        return None
    digits = plain_digits(re.sub(r"[' \u00a0\u202f]", "", found["digits"]))
    negative = found["open"] or found["sign"] not in ("", "+") or found["late"]
    try:
        value = float(digits + (found["exp"] or ""))
    except ValueError:
        return None
    return (-value if negative else value) if abs(value) < MAX_NUMBER else None


def plain_digits(digits: str) -> str:
    """Of “.” and “,” the last is the decimal mark, unless it can only part thousands."""
    comma, dot = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and dot >= 0:
        other = "," if dot > comma else "."
        return digits.replace(other, "").replace(",", ".")
    if re.fullmatch(r"\d{1,3}(,\d{3})+|\d{1,3}(\.\d{3}){2,}", digits):
        return re.sub("[.,]", "", digits)
    return digits.replace(",", ".")


def unit_of(cell: str) -> str:
    mark = re.search(r"[%$€£¥]", cell)
    return mark[0] if mark else ""


DATE_FORMATS = (
    "%Y-%m-%d", "%Y-%m", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%b %Y", "%B %Y",
)  # fmt: skip


def to_date(cell: str, form: str) -> date | None:
    """The day of a date or time stamp written in `form`."""
    if not 6 <= len(cell) <= 35 or not any(map(str.isdigit, cell)):
        return None
    day = re.sub(r"[T ]\d\d?:\d\d.*$", "", cell, flags=re.DOTALL)
    try:
        return datetime.strptime(day, form).date()
    except ValueError:
        return None


def clip(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"
