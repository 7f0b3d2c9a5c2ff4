"""Answers: group totals, trends, outliers, a profile; in words, rows and a chart. (pure)"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, TypeVar  # Any: JSON

from csv_cells import number_text, several
from csv_conditions import Condition, Value
from csv_questions import ABILITIES, Plan
from csv_tables import Column, Table

SHOWN_ROWS, SHOWN_BARS = 60, 16


T = TypeVar("T")
Chart = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """An answer: `summary` in words, rows for a table and, where it helps, a chart of them all.

    Of too many rows the report shows the first, or the `latest`, in the table and in the chart.
    """

    title: str
    summary: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    chart: Chart | None = None
    notes: Sequence[str] = ()
    latest: bool = False

    def report(self) -> dict[str, Any]:
        notes, rows = list(self.notes), self.rows
        shown = [list(row) for row in self.window(rows, SHOWN_ROWS)]
        bars = SHOWN_BARS if self.chart and self.chart["type"] == "bar" else SHOWN_ROWS
        which, drawn = "last" if self.latest else "first", min(len(rows), bars)
        if len(shown) < len(rows):
            notes.append(f"The table shows the {which} {len(shown)} of {len(rows):,} rows.")
        if self.chart and drawn < len(rows):
            notes.append(f"The chart shows the {which} {drawn} of {len(rows):,}.")
        chart = dict(self.chart or {})
        for axis in chart.keys() & {"x", "y"}:
            chart[axis] = list(self.window(chart[axis], bars))
        table = {"columns": list(self.columns), "rows": shown} if shown else None
        parts: dict[str, Any] = {"title": self.title, "summary": self.summary, "notes": notes}
        return parts | {k: v for k, v in (("table", table), ("chart", chart)) if v}

    def window(self, shown: Sequence[T], most: int) -> Sequence[T]:
        return shown[-most:] if self.latest else shown[:most]


REDUCE: dict[str, Callable[[list[Any]], float]] = {
    "total": math.fsum,
    "average": statistics.fmean,
    "median": statistics.median,
    "count": lambda values: float(len(values)),
    "distinct": lambda values: float(len(set(values))),
    "largest": max,
    "smallest": min,
}


UNITED = {"total", "average", "median", "largest", "smallest"}  # in the unit of their values


def chosen_rows(table: Table, only: Sequence[Condition]) -> list[int]:
    return [i for i in range(table.rows) if all(c.keeps(c.column.values[i]) for c in only)]


def group_key(plan: Plan, row: int) -> str:
    value = plan.group.values[row] if plan.group else "all rows"
    if not isinstance(value, date):
        return "(empty)" if value is None else f"{value:g}" if isinstance(value, float) else value
    week = value.isocalendar()
    names = {"year": f"{value:%Y}", "month": f"{value:%Y-%m}", "week": f"{week[0]}-W{week[1]:02}"}
    names["quarter"] = f"{value:%Y}-Q{(value.month + 2) // 3}"
    return names.get(plan.period or "day", value.isoformat())


def aggregate(table: Table, plan: Plan) -> Finding:
    """One number for each group: “total cost by service”, “orders per month”."""
    cells: dict[str, list[Value]] = defaultdict(list)
    for row in chosen_rows(table, plan.only):
        value = plan.value.values[row] if plan.value else 1.0
        undated = plan.period and plan.group and plan.group.values[row] is None
        if value is not None and not undated:
            cells[group_key(plan, row)].append(value)
    results = [(key, REDUCE[plan.measure](values), len(values)) for key, values in cells.items()]
    notes = [*plan.notes, *table.notes]
    if not results:
        return Finding(plan.title(), f"{plan.title()}: no row holds such a value.", notes=notes)
    timely = plan.period is not None and plan.limit is None  # “top 3 months” is a ranking
    results.sort(key=lambda r: r[0] if timely else (r[1] if plan.ascending else -r[1]))
    kept = results[: plan.limit]
    unit = plan.value.unit if plan.value and plan.measure in UNITED else ""
    if plan.group is None:
        words = tell_number(kept[0], unit, plan, table)
    else:
        words = tell_trend(kept, unit, plan) if timely else tell_ranking(kept, results, unit, plan)
    return Finding(
        plan.title(),
        words,
        [plan.period or (plan.group.name if plan.group else ""), *measured(plan)],
        [[key, rounded(value), count][: 1 + len(measured(plan))] for key, value, count in kept],
        chart_of(kept, plan, timely=timely),
        notes,
        latest=timely,
    )


Result = tuple[str, float, int]


def measured(plan: Plan) -> list[str]:
    if plan.measure == "count":
        return ["rows"]
    return ["different" if plan.measure == "distinct" else plan.measure, "rows"]


def tell_number(result: Result, unit: str, plan: Plan, table: Table) -> str:
    """One number, and what part it is of all where only some rows were asked for."""
    (_, value, rows), say = result, partial(number_text, unit=unit)
    every = [v for v in (plan.value.values if plan.value else [1.0]) if isinstance(v, float)]
    whole = math.fsum(every) if plan.value else float(table.rows)
    adds_up = plan.only and plan.measure in ("total", "count") and min(every) >= 0 < whole
    share = f", {value / whole:.0%} of {say(whole)} in all" if adds_up else ""
    return f"{plan.title()}: {say(value)}{share}, from {several(rows, 'row')}."


def tell_ranking(kept: list[Result], every: list[Result], unit: str, plan: Plan) -> str:
    say = partial(number_text, unit=unit)
    (first, value, _), end = kept[0], "lowest" if plan.ascending else "highest"
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


def chart_of(results: list[Result], plan: Plan, *, timely: bool) -> Chart | None:
    if len(results) < 2:
        return None
    return {
        "type": "line" if timely else "bar",
        "x": [key for key, _, _ in results],
        "y": [rounded(value) for _, value, _ in results],
        "x_label": plan.period or (plan.group.name if plan.group else ""),
        "y_label": f"{plan.measure} {plan.value.name}" if plan.value else "rows",
    }


def rounded(value: float) -> float | int:
    if value.is_integer() and abs(value) < 2**53:
        return int(value)
    return round(value, 2) if abs(value) >= 1 else float(f"{value:.4g}")


def profile_columns(table: Table) -> Finding:
    """What is in the table, column by column: the answer to no question in particular."""
    kinds = Counter(column.kind for column in table.columns)
    made_of = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    columns = f"{several(len(table.columns), 'column')} ({made_of})"
    return Finding(
        "What is in this table",
        f"{several(table.rows, 'row')}, {columns}. {ABILITIES}",
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
