"""Answers: group totals, trends, outliers, a profile; in words, rows and a chart. (pure)"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any  # JSON

from csv_questions import ABILITIES, Plan
from csv_tables import Column, Table, clip

SHOWN_ROWS, SHOWN_BARS, SHOWN_POINTS = 40, 16, 60


@dataclass(frozen=True)
class Finding:
    """An answer: `summary` in words, rows for a table and, where it helps, a chart of them."""

    title: str
    summary: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    chart: Mapping[str, object] | None = None
    notes: Sequence[str] = ()

    def report(self) -> dict[str, Any]:
        notes = list(self.notes)
        if len(self.rows) > SHOWN_ROWS:
            notes.append(f"The table shows {SHOWN_ROWS} of {len(self.rows):,} rows.")
        shown = [list(row) for row in self.rows[:SHOWN_ROWS]]
        table = {"columns": list(self.columns), "rows": shown} if shown else None
        parts: dict[str, Any] = {"title": self.title, "summary": self.summary, "notes": notes}
        return parts | {k: v for k, v in (("table", table), ("chart", self.chart)) if v}


REDUCE: dict[str, Callable[[list[float]], float]] = {
    "total": math.fsum,
    "average": statistics.fmean,
    "count": lambda values: float(len(values)),
    "largest": max,
    "smallest": min,
}


def chosen_rows(table: Table, only: Mapping[str, frozenset[str]]) -> list[int]:
    kept = [column for column in table.columns if column.name in only]
    return [i for i in range(table.rows) if all(c.values[i] in only[c.name] for c in kept)]


def group_key(plan: Plan, row: int) -> str:
    value = plan.group.values[row] if plan.group else "all rows"
    if not isinstance(value, date):
        return "(empty)" if value is None else f"{value:g}" if isinstance(value, float) else value
    week = value.isocalendar()
    names = {"year": f"{value:%Y}", "month": f"{value:%Y-%m}", "week": f"{week[0]}-W{week[1]:02}"}
    return names.get(plan.period or "day", value.isoformat())


def aggregate(table: Table, plan: Plan) -> Finding:
    """One number for each group: “total cost by service”, “orders per month”."""
    cells: dict[str, list[float]] = defaultdict(list)
    for row in chosen_rows(table, plan.only):
        value = plan.value.values[row] if plan.value else 1.0
        undated = plan.period and plan.group and plan.group.values[row] is None
        if isinstance(value, float) and not undated:
            cells[group_key(plan, row)].append(value)
    results = [(key, REDUCE[plan.measure](values), len(values)) for key, values in cells.items()]
    if not results:
        return Finding(plan.title(), "No row holds such a value.", notes=plan.notes)
    in_time = plan.period is not None
    results.sort(key=lambda r: r[0] if in_time else (r[1] if plan.ascending else -r[1]))
    kept = results[: plan.limit]
    unit = plan.value.unit if plan.value and plan.measure != "count" else ""
    words = tell_trend(kept, unit, plan) if in_time else tell_ranking(kept, results, unit, plan)
    return Finding(
        plan.title(),
        words,
        [plan.period or (plan.group.name if plan.group else ""), *measured(plan)],
        [[key, rounded(value), count][: 1 + len(measured(plan))] for key, value, count in kept],
        chart_of(kept, plan, in_time=in_time),
        [*table.notes, *plan.notes],
    )


Result = tuple[str, float, int]


def measured(plan: Plan) -> list[str]:
    return ["rows"] if plan.measure == "count" else [plan.measure, "rows"]


def tell_ranking(kept: list[Result], every: list[Result], unit: str, plan: Plan) -> str:
    say = partial(number_text, unit=unit)
    (first, value, _), end = kept[0], "lowest" if plan.ascending else "highest"
    if plan.group is None:
        return f"{plan.title()}: {say(value)}, from {kept[0][2]:,} rows."
    whole = math.fsum(r[1] for r in every)
    adds_up = plan.measure in ("total", "count") and min(r[1] for r in every) >= 0 < whole
    share = f", {value / whole:.0%} of {say(whole)}" if adds_up and len(every) > 1 else ""
    words = f"{plan.title()}: {first} is {end} with {say(value)}{share}."
    if len(kept) > 1:
        words += " Then " + ", ".join(f"{k} with {say(v)}" for k, v, _ in kept[1:3]) + "."
    if len(kept) > 3:
        words += f" Last is {kept[-1][0]} with {say(kept[-1][1])}."
    return words


def tell_trend(results: list[Result], unit: str, plan: Plan) -> str:
    say = partial(number_text, unit=unit)
    (start, before, _), (end, after, _) = results[0], results[-1]
    peak = max(results, key=lambda r: r[1])
    change = f" ({(after - before) / abs(before):+.0%})" if before else ""
    return (
        f"{plan.title()}: from {say(before)} in {start} to {say(after)} in {end}{change}. "
        f"The highest was {say(peak[1])} in {peak[0]}."
    )


def chart_of(results: list[Result], plan: Plan, *, in_time: bool) -> Mapping[str, object] | None:
    if len(results) < 2:
        return None
    shown = results[-SHOWN_POINTS:] if in_time else results[:SHOWN_BARS]
    return {
        "type": "line" if in_time else "bar",
        "x": [key for key, _, _ in shown],
        "y": [rounded(value) for _, value, _ in shown],
        "x_label": plan.period or (plan.group.name if plan.group else ""),
        "y_label": f"{plan.measure} {plan.value.name}" if plan.value else "rows",
    }


def rounded(value: float) -> float | int:
    if value.is_integer() and abs(value) < 2**53:
        return int(value)
    return round(value, 2) if abs(value) >= 1 else float(f"{value:.4g}")


# Iglewicz & Hoaglin, How to Detect and Handle Outliers (1993): the modified z-score, cut at 3.5.
CUT, MAD_TO_SIGMA, MEAN_AD_TO_SIGMA = 3.5, 1.4826, 1.2533


def spread(values: list[float], middle: float) -> float:
    """A robust standard deviation; by the mean deviation when over half the values are alike."""
    away = [abs(value - middle) for value in values]
    return statistics.median(away) * MAD_TO_SIGMA or statistics.fmean(away) * MEAN_AD_TO_SIGMA


def unusual(column: Column, rows: list[int]) -> list[tuple[int, float, float]]:
    """(row, value, typical value) of each value far from the typical one."""
    pairs = [(row, value) for row in rows if isinstance(value := column.values[row], float)]
    if len(pairs) < 5:
        return []
    values = [value for _, value in pairs]
    middle = statistics.median(values)
    wide = spread(values, middle)
    return [
        (row, value, middle) for row, value in pairs if wide and abs(value - middle) / wide > CUT
    ]


def find_outliers(table: Table, plan: Plan) -> Finding:
    """Values far from the median of their column, or of their group in it."""
    if plan.value is None:
        return Finding("No numbers to judge", "There is no column of numbers in the table.")
    groups: dict[str, list[int]] = defaultdict(list)
    for row in chosen_rows(table, plan.only):
        groups[group_key(plan, row)].append(row)
    found = [hit for rows in groups.values() for hit in unusual(plan.value, rows)]
    found.sort(key=lambda hit: -abs(hit[1] - hit[2]))
    title = f"Unusual values of {plan.value.name}" + (
        f" by {plan.group.name}" if plan.group else ""
    )
    labels = [c for c in table.columns if c.kind != "number"][:3]
    return Finding(
        title,
        tell_outliers(found, labels, plan.value),
        ["row", *(c.name for c in labels), plan.value.name, "typical"],
        [[r + 1, *(label(c, r) for c in labels), rounded(v), rounded(m)] for r, v, m in found],
        outlier_chart(found, labels, plan.value),
        [*table.notes, "Unusual: over 3.5 robust standard deviations from the median."],
    )


def label(column: Column, row: int) -> str:
    value = column.values[row]
    return "" if value is None else str(value)


def tell_outliers(found: list[tuple[int, float, float]], labels: list[Column], of: Column) -> str:
    if not found:
        return f"Nothing unusual: every {of.name} lies near the typical one."
    row, value, middle = found[0]
    where = ", ".join(filter(None, (label(c, row) for c in labels))) or f"row {row + 1}"
    many = "One value stands" if len(found) == 1 else f"{len(found):,} values stand"
    say = partial(number_text, unit=of.unit)
    return f"{many} out. The furthest is {say(value)} ({where}), where {say(middle)} is typical."


def outlier_chart(
    found: list[tuple[int, float, float]], labels: list[Column], of: Column
) -> Mapping[str, object] | None:
    if not found:
        return None
    shown = found[:SHOWN_BARS]
    x = [
        clip(" · ".join(filter(None, (label(c, r) for c in labels))) or r + 1) for r, _, _ in shown
    ]
    y = [rounded(value) for _, value, _ in shown]
    return {"type": "bar", "x": x, "y": y, "x_label": "row", "y_label": of.name}


def profile_columns(table: Table) -> Finding:
    """What is in the table, column by column: the answer to no question in particular."""
    kinds = Counter(column.kind for column in table.columns)
    made_of = ", ".join(f"{n} of {kind}s" for kind, n in kinds.items())
    return Finding(
        "What is in this table",
        f"{table.rows:,} rows, {len(table.columns)} columns: {made_of}. {ABILITIES}",
        ["column", "kind", "filled", "distinct", "from", "to", "typical"],
        [profile_row(column) for column in table.columns],
        notes=table.notes,
    )


def profile_row(column: Column) -> list[object]:
    filled = column.filled()
    row: list[object] = [column.name, column.kind, len(filled), len(set(filled))]
    if numbers := column.numbers():
        low, high, middle = min(numbers), max(numbers), statistics.median(numbers)
        return row + [number_text(value, column.unit) for value in (low, high, middle)]
    if column.kind == "date":
        dates = [value for value in filled if isinstance(value, date)]
        return [*row, str(min(dates)), str(max(dates)), str(Counter(dates).most_common(1)[0][0])]
    return [*row, "", "", Counter(filled).most_common(1)[0][0] if filled else ""]


def number_text(value: float, unit: str = "") -> str:
    digits = f"{value:,.2f}" if abs(value) < 1e15 else f"{value:.3g}"
    digits = digits.removesuffix(".00")
    if unit in ("", "%"):
        return digits + unit
    return f"-{unit}{digits[1:]}" if digits.startswith("-") else unit + digits
