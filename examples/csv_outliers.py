"""Values far from the typical one of their column, or of their group in it. (pure)"""

from __future__ import annotations

import statistics
from collections import defaultdict
from functools import partial

from csv_cells import clip, number_text
from csv_findings import Chart, Finding, chosen_rows, group_key, rounded
from csv_questions import Plan
from csv_tables import Column, Table

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
    by = f" by {plan.group.name}" if plan.group else ""
    words = [f"Unusual values of {plan.value.name}{by}", *(c.words for c in plan.only)]
    labels = [c for c in table.columns if c.kind != "number"][:3]
    return Finding(
        ", ".join(words),
        tell_outliers(found, labels, plan.value),
        ["row", *(c.name for c in labels), plan.value.name, "typical"],
        [[r + 1, *(label(c, r) for c in labels), rounded(v), rounded(m)] for r, v, m in found],
        outlier_chart(found, labels, plan.value),
        [
            *plan.notes,
            *table.notes,
            "Unusual: over 3.5 robust standard deviations from the median.",
        ],
    )


def label(column: Column, row: int) -> str:
    value = column.values[row]
    return "" if value is None else str(value)


def tell_outliers(found: list[tuple[int, float, float]], labels: list[Column], of: Column) -> str:
    if not found:
        return f"Nothing unusual: every value of {of.name} lies near the typical one."
    row, value, middle = found[0]
    where = ", ".join(filter(None, (label(c, row) for c in labels))) or f"row {row + 1}"
    many = "One value stands" if len(found) == 1 else f"{len(found):,} values stand"
    say = partial(number_text, unit=of.unit)
    return f"{many} out. The furthest is {say(value)} ({where}), where {say(middle)} is typical."


def outlier_chart(
    found: list[tuple[int, float, float]], labels: list[Column], of: Column
) -> Chart | None:
    if not found:
        return None
    x = [
        clip(" · ".join(filter(None, (label(c, r) for c in labels))) or r + 1) for r, _, _ in found
    ]
    y = [rounded(value) for _, value, _ in found]
    return {"type": "bar", "x": x, "y": y, "x_label": "row", "y_label": of.name}
