"""Answers: totals of groups, unusual values, a description; in words, rows and a chart. (pure)"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from csv_cells import clip, number_text, several
from csv_questions import Question
from csv_tables import Column, Table

SHOWN = 60  # rows of an answer's table, points of its chart
REDUCE = {
    "total": math.fsum,
    "average": statistics.fmean,
    "median": statistics.median,
    "largest": max,
    "smallest": min,
}
PERIODS = {"year": "%Y", "month": "%Y-%m", "week": "%G-W%V", "day": "%Y-%m-%d"}
# Iglewicz & Hoaglin, How to Detect and Handle Outliers (1993): the modified z-score, cut at 3.5.
CUT, MAD_TO_SIGMA, MEAN_AD_TO_SIGMA = 3.5, 1.4826, 1.2533


@dataclass(frozen=True)
class Answer:
    """An answer in words, with rows for a table and, if it helps, a chart of them."""

    title: str
    summary: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    chart: str | None = None  # "bar" or "line": the second column over the first
    notes: Sequence[str] = ()
    questions: Sequence[str] = ()  # to ask next

    def report(self) -> dict[str, object]:
        shown, notes = self.rows[:SHOWN], list(self.notes)
        if len(shown) < len(self.rows):
            notes.append(f"Shown are the first {len(shown)} of {several(len(self.rows), 'row')}.")
        parts: dict[str, object] = {"title": self.title, "summary": self.summary, "notes": notes}
        if shown:
            parts["table"] = {"columns": self.columns, "rows": shown}
        if self.chart:
            x, y = [str(row[0]) for row in shown], [row[1] for row in shown]
            axes = {"x_label": self.columns[0], "y_label": self.columns[1]}
            parts["chart"] = {"type": self.chart, "x": x, "y": y, **axes}
        return parts | ({"questions": self.questions} if self.questions else {})


def answer_to(question: Question, table: Table) -> Answer:
    work = {"describe": describe, "check": describe, "unusual": unusual_values}
    answer = work.get(question.task, aggregate)(question, table)
    return replace(answer, notes=[*answer.notes, *table.notes])


def aggregate(question: Question, table: Table) -> Answer:
    """One number for each group: “Total cost by service”, “How many rows per month?”."""
    title, group = question.text.rstrip("?"), question.group
    cells: dict[str, list[float]] = defaultdict(list)
    for row in range(table.rows):
        value = question.value.values[row] if question.value else 1.0
        if isinstance(value, float):
            cells[group_name(question, row)].append(value)
    reduce = REDUCE[question.measure]
    results = [(name, float(reduce(values)), len(values)) for name, values in cells.items()]
    if not results:
        return Answer(title, f"{title}: no row holds such a value.")
    in_time = group is not None and group.kind == "date" and question.limit is None
    results.sort(key=lambda result: result[0] if in_time else -result[1])
    unit = question.value.unit if question.value else ""
    measured = f"{question.measure} {question.value.name}" if question.value else "number"
    columns = [question.period or (group.name if group else "of"), measured, "rows"]
    rows = [
        [name, float(f"{value:.15g}"), count] for name, value, count in results[: question.limit]
    ]
    summary = f"{title}: {in_words(results, unit, in_time=in_time)}"
    chart = None if group is None else "line" if in_time else "bar"
    return Answer(title, summary, columns, rows, chart)


def group_name(question: Question, row: int) -> str:
    value = question.group.values[row] if question.group else "all rows"
    if value is None:
        return "(empty)"
    if not isinstance(value, date):
        return f"{value:g}" if isinstance(value, float) else value
    return f"{value:{PERIODS[question.period]}}" if question.period else str(value)


def in_words(results: list[tuple[str, float, int]], unit: str, *, in_time: bool) -> str:
    (first, value, count), (last, end, _) = results[0], results[-1]
    if len(results) == 1:
        return f"{number_text(value, unit)}, from {several(count, 'row')}."
    if in_time:
        return f"from {number_text(value, unit)} in {first} to {number_text(end, unit)} in {last}."
    highest, lowest = number_text(value, unit), number_text(end, unit)
    of = several(len(results), "group")
    return f"{first} is highest with {highest}, {last} is lowest with {lowest} (of {of})."


def unusual_values(question: Question, table: Table) -> Answer:
    column = question.value
    assert column is not None, "csv_questions gives every such question its column"
    rows, middle = unusual_rows(column)
    title, typical = f"Unusual values of {column.name}", number_text(middle, column.unit)
    notes = ["Unusual: over 3.5 robust standard deviations from the median."]
    if not rows:
        return Answer(
            title, f"Nothing unusual: {typical} is typical of {column.name}.", notes=notes
        )
    labels = [each for each in table.columns if each.kind != "number"][:3]
    worst = number_text(float(str(column.values[rows[0]])), column.unit)
    found = [[*(str(each.values[row]) for each in labels), column.values[row]] for row in rows]
    where = ", ".join(str(cell) for cell in found[0][:-1]) or f"row {rows[0] + 1}"
    many = "One value stands" if len(rows) == 1 else f"{len(rows):,} values stand"
    summary = f"{many} out. The furthest is {worst} ({where}); {typical} is typical."
    return Answer(
        title, summary, [*(each.name for each in labels), column.name], found, None, notes
    )


def unusual_rows(column: Column) -> tuple[list[int], float]:
    """Rows far from the typical value, furthest first, and the typical value."""
    values = column.numbers()
    middle = statistics.median(values) if values else 0.0
    away = [abs(value - middle) for value in values]
    wide = statistics.median(away or [0]) * MAD_TO_SIGMA
    wide = wide or statistics.fmean(away or [0]) * MEAN_AD_TO_SIGMA
    pairs = [(row, v) for row, v in enumerate(column.values) if isinstance(v, float)]
    found = [(abs(v - middle), row) for row, v in pairs if wide and abs(v - middle) / wide > CUT]
    return [row for _, row in sorted(found, reverse=True)], middle


def describe(_: Question, table: Table) -> Answer:
    """What each column holds: its empty cells, its different and its unusual values."""
    summary = f"{several(table.rows, 'row')}, {several(len(table.columns), 'column')}."
    heads = ["column", "kind", "empty", "different", "unusual", "from", "to"]
    return Answer("What is in this table", summary, heads, [described(c) for c in table.columns])


def described(column: Column) -> list[object]:
    filled, unusual = column.filled(), len(unusual_rows(column)[0])
    if numbers := column.numbers():
        ends = [number_text(each(numbers), column.unit) for each in (min, max)]
    else:
        ends = [clip(each(map(str, filled))) for each in (min, max)] if filled else ["", ""]
    empty = len(column.values) - len(filled)
    return [column.name, column.kind, empty, len(set(filled)), unusual, *ends]
