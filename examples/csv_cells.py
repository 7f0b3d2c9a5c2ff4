"""Cells: what people write for numbers and dates, and how numbers are written for them. (pure)"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from decimal import Decimal

MAX_CELL = 80
MAX_NUMBER = 1e100  # sums and squares of these stay finite

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


def is_data(cell: str) -> bool:
    return to_number(cell) is not None or any(to_date(cell, form) for form in DATE_FORMATS)


def clip(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def number_text(value: float, unit: str = "") -> str:
    """Two decimals, or three significant digits where that would show nothing."""
    digits = f"{value:,.2f}" if abs(value) < 1e15 else f"{value:.3g}"
    if 1e-12 < abs(value) < 1 and not math.isclose(round(value, 2), value):
        digits = f"{Decimal(f'{value:.3g}'):f}"
    digits = digits.removesuffix(".00")
    if unit in ("", "%"):
        return digits + unit
    return f"-{unit}{digits[1:]}" if digits.startswith("-") else unit + digits


def several(number: int, noun: str) -> str:
    """“1 row”, “2,000 rows”."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
