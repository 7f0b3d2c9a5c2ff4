"""Cells: numbers and dates that can be read in one way only, and how answers write them. (pure)"""

from __future__ import annotations

import re
from datetime import date, datetime

MAX_CELL = 80
EMPTY = {"", "-", "–", "—", "n/a", "na", "nan", "null", "none", "#n/a", "?"}
NUMBER = re.compile(
    r"([-+−]?)\s?[$€£¥]?\s?((?:\d{1,3}(?:,\d{3})+|\d{1,50})(?:\.\d{1,50})?)\s?[%$€£¥]?"
)
DATE_FORMATS = ("%Y-%m-%d", "%Y-%m", "%Y/%m/%d", "%d.%m.%Y", "%b %Y")  # 3/4/2026 is two days


def to_number(cell: str) -> float | None:
    """“1,234.50”, “-$12”, “12%” → float; anything else, “1.234,50” too → None."""
    found = NUMBER.fullmatch(cell)
    value = float(found[2].replace(",", "")) if found else None
    return -value if value is not None and found and found[1] in ("-", "−") else value


def unit_of(cell: str) -> str:
    mark = re.search(r"[%$€£¥]", cell)
    return mark[0] if mark else ""


def to_date(cell: str, form: str) -> date | None:
    day = re.sub(r"[T ]\d\d?:\d\d.*$", "", cell, flags=re.DOTALL)
    try:
        return datetime.strptime(day, form).date() if 6 <= len(cell) <= 35 else None
    except ValueError:
        return None


def is_data(cell: str) -> bool:
    """True for a number or a date; a year may well be the name of a column."""
    if re.fullmatch(r"(19|20)\d\d", cell):
        return False
    return to_number(cell) is not None or any(to_date(cell, form) for form in DATE_FORMATS)


def clip(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def number_text(value: float, unit: str = "") -> str:
    """Two decimals, or three significant digits where two decimals would show nothing."""
    digits = f"{value:,.2f}" if 0.01 <= abs(value) < 1e15 or not value else f"{value:.3g}"
    digits = digits.removesuffix(".00")
    if unit in ("", "%"):
        return digits + unit
    return f"-{unit}{digits[1:]}" if digits.startswith("-") else unit + digits


def several(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
