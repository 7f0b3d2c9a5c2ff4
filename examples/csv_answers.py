"""Answers: totals of groups, unusual values, a description; in words, rows and a chart. (pure)"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import fsum
from statistics import fmean, median
from typing import Any  # a cell, a part of a report

from csv_questions import Question
from csv_tables import Column, Table, clip, several

SHOWN, NOTES = 60, 6  # rows of an answer's table and points of its chart; notes below it
Report = dict[str, Any]  # JSON
REDUCE = {"total": fsum, "average": fmean, "median": median, "largest": max, "smallest": min}
PERIODS = {"year": "%Y", "month": "%Y-%m", "week": "%G-W%V", "day": "%Y-%m-%d"}
# Iglewicz & Hoaglin, How to Detect and Handle Outliers (1993): the modified z-score, cut at 3.5.
CUT, MAD_TO_SIGMA, MEAN_AD_TO_SIGMA = 3.5, 1.4826, 1.2533


def report(
    title: str,
    summary: str,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[Any]] = (),
    chart: str | None = None,  # "bar" or "line": the second column over the first
    notes: Sequence[str] = (),
) -> Report:
    """What the page draws: an answer in words, with its rows as a table and perhaps a chart."""
    shown = [[clip(c) if isinstance(c, str) else c for c in row] for row in rows[:SHOWN]]
    parts: Report = {"title": title, "summary": summary, "notes": list(notes)}
    if len(rows) > SHOWN:
        parts["notes"] += [f"Shown are the first {SHOWN} of {len(rows):,} rows."]
    if rows:
        parts["table"] = {"columns": columns, "rows": shown}
    if chart:
        axes = {"x_label": columns[0], "y_label": columns[1]}
        x, y = [row[0] for row in shown], [row[1] for row in shown]
        parts["chart"] = {"type": chart, "x": x, "y": y, **axes}
    return parts


def answer_to(question: Question, table: Table) -> Report:
    work = {"aggregate": aggregate, "count": aggregate, "unusual": unusual_values}
    answer = work.get(question.task, describe)(question, table)
    asked = [each for each in (question.value, question.group) if each] or table.columns
    notes = [*table.notes, *(note for column in asked for note in column.notes)]
    more = [f"There are {len(notes) - NOTES} more notes like these."] if len(notes) > NOTES else []
    return answer | {"notes": [*answer["notes"], *notes[:NOTES], *more]}


def aggregate(question: Question, table: Table) -> Report:
    """One number for each group: “Total cost by service”, “How many rows per month?”."""
    title, group, column = question.text.rstrip("?"), question.group, question.value
    cells: dict[str, list[float]] = defaultdict(list)
    for row in range(table.rows):
        value = column.values[row] if column else 1.0
        if value is not None:
            cells[group_name(question, row)].append(value)
    in_time = group is not None and group.kind == "date"
    undated = cells.pop(f"no {group.name}", []) if group and in_time else []
    results = [(name, REDUCE[question.measure](cells[name]), len(cells[name])) for name in cells]
    if not results:
        return report(title, f"{title}: no row holds such a value.")
    results.sort(key=lambda result: result[0] if in_time else -result[1])
    summary = f"{title}: {in_words(results, column.unit if column else '')}"
    notes = [f"Left out: {several(len(undated), 'row')} without a date."] if undated else []
    measured = f"{question.measure} {column.name}" if column else "number"
    columns = [question.period or (group.name if group else "of"), measured, "rows"]
    rows = [[name, float(f"{value:.15g}"), count] for name, value, count in results]
    chart = None if group is None else "line" if in_time else "bar"
    return report(title, summary, columns, rows, chart, notes)


def group_name(question: Question, row: int) -> str:
    value = question.group.values[row] if question.group else "all rows"
    if value is None and question.group:
        return f"no {question.group.name}"
    if isinstance(value, float):
        return f"{value:.15g}"
    return f"{value:{PERIODS[question.period]}}" if question.period else str(value)


def in_words(results: list[tuple[str, float, int]], unit: str) -> str:
    by_value = sorted(results, key=lambda result: result[1])
    (least, low, _), (most, high, count) = by_value[0], by_value[-1]
    if len(results) == 1:
        return f"{number_text(high, unit)}, from {several(count, 'row')}."
    highest = f"the highest of {len(results):,} groups is {number_text(high, unit)} ({clip(most)})"
    return f"{highest}, the lowest {number_text(low, unit)} ({clip(least)})."


def unusual_values(question: Question, table: Table) -> Report:
    column = question.value
    assert column is not None, "csv_questions gives every such question its column"
    rows, middle = unusual_rows(column)
    typical = f"{number_text(middle, column.unit)} is typical"
    labels = [each for each in table.columns if each.kind != "number"][:3]
    found = [
        [*(str(each.values[row] or "") for each in labels), column.values[row]] for row in rows
    ]
    if rows:
        *where, worst = found[0]
        place = clip(", ".join(filter(None, where)) or f"row {rows[0] + 1}")
        stand = "One value stands" if len(rows) == 1 else f"{len(rows):,} values stand"
        furthest = f"The furthest is {number_text(worst, column.unit)} ({place})"
        summary = f"{stand} out. {furthest}; {typical}."
    else:
        summary = f"Nothing unusual: {typical} of {column.name}."
    columns = [*(each.name for each in labels), column.name]
    notes = ["Unusual: over 3.5 robust standard deviations from the median."]
    return report(f"Unusual values of {column.name}", summary, columns, found, notes=notes)


def unusual_rows(column: Column) -> tuple[list[int], float]:
    """Rows far from the typical value, furthest first, and the typical value."""
    middle = median(column.filled())
    away = {row: abs(v - middle) for row, v in enumerate(column.values) if v is not None}
    wide = median(away.values()) * MAD_TO_SIGMA or fmean(away.values()) * MEAN_AD_TO_SIGMA
    rows = [row for row in away if wide and away[row] / wide > CUT]
    return sorted(rows, key=away.__getitem__, reverse=True), middle


def describe(_: Question, table: Table) -> Report:
    """What each column holds: its empty cells, its different and its unusual values."""
    summary = f"{several(table.rows, 'row')}, {several(len(table.columns), 'column')}."
    heads = ["column", "kind", "empty", "different", "unusual", "from", "to"]
    return report("What is in this table", summary, heads, [described(c) for c in table.columns])


def described(column: Column) -> list[object]:
    filled, unusual = column.filled(), 0
    ends = [min(filled), max(filled)] if filled else ["", ""]
    if column.kind == "number":
        ends = [number_text(each, column.unit) for each in ends]
        unusual = len(unusual_rows(column)[0])
    empty, different = len(column.values) - len(filled), len(set(filled))
    return [column.name, column.kind, empty, different, unusual, *map(str, ends)]


def number_text(value: float, unit: str = "") -> str:
    """Two decimals, or three significant digits where two decimals would show nothing."""
    sign, size = "-" if value < 0 else "", abs(value)
    digits = f"{size:,.2f}" if 0.01 <= size < 1e15 or not size else f"{size:.3g}"
    digits = digits.removesuffix(".00")
    return f"{sign}{digits}{unit}" if unit in ("", "%") else f"{sign}{unit}{digits}"
