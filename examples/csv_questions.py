"""A small, honest keyword grammar: a question and a table's own names → what to compute. (pure)"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any  # JSON

from csv_conditions import Condition, find_conditions
from csv_names import Mention, is_key, mentioned_columns, value_column, words_of
from csv_tables import Column, Table
from csv_words import (
    BOTTOM,
    COMPARING,
    DISTINCT,
    MAX_ASKED,
    NUMBER_OF,
    OUTLIERS,
    PERIODS,
    TOP,
    in_digits,
    limit_of,
    not_understood,
    said_measures,
    says,
    unplaced_times,
)

ABILITIES = (
    "I can add up, average, count, rank and compare (“total cost by service”, “top 5 products by "
    "revenue”), follow something over time (“revenue per month”), leave rows out (“without Email”, "
    "“in April”, “cost above 100”) and look for unusual values."
)


@dataclass(frozen=True)
class Plan:
    """What to compute: `measure` of `value` for each `group` (or `period` of it) of some rows."""

    task: str  # "aggregate", "outliers" or "profile"
    measure: str = "total"  # or "distinct", or another of MEASURES
    value: Column | None = None
    group: Column | None = None
    period: str | None = None
    limit: int | None = None
    ascending: bool = False
    only: Sequence[Condition] = ()
    notes: Sequence[str] = ()

    def title(self) -> str:
        """Everything asked that the answer heeds: what is not in here is in the notes."""
        what = "Number of rows" if self.value is None else f"{self.measure} {self.value.name}"
        if self.value and self.measure == "distinct":
            what = f"Number of different values of {self.value.name}"
        by = f" by {self.group.name}" if self.group else ""
        parts = [what[:1].upper() + what[1:] + (f" per {self.period}" if self.period else by)]
        return ", ".join([*parts, *(condition.words for condition in self.only)])

    def thought(self, question: str) -> str:
        if self.task == "profile":
            found = "I find no question I know how to answer in that" if question.strip() else ""
            return f"{found or 'No question came with it'}, so I describe the table instead."
        if self.task == "outliers":
            return "I look for values far from the typical one, by the median absolute deviation."
        return f"I take that to mean: {self.title()[:1].lower() + self.title()[1:]}."

    def arguments(self) -> dict[str, Any]:
        named = {"value": self.value and self.value.name, "by": self.group and self.group.name}
        rest = {"measure": self.measure if self.task == "aggregate" else None, "per": self.period}
        only = [condition.words for condition in self.only]
        return {k: v for k, v in (named | rest | {"top": self.limit, "only": only}).items() if v}


def interpret(question: str, table: Table) -> Plan:
    """Match a question against known words and the table's own names."""
    asked = re.sub(r"['’](?:s|t|m|re|ve|ll|d)\b", "", " ".join(question.split()).casefold())
    cut = [f"I read the first {MAX_ASKED} characters of it."] if len(asked) > MAX_ASKED else []
    asked = asked[:MAX_ASKED]
    only, asked = find_conditions(asked, table)
    asked, unplaced = unplaced_times(in_digits(asked))
    ranked = says(asked, TOP) or says(asked, BOTTOM)
    mentions = mentioned_columns(asked, table, ranked=ranked)
    if says(asked, OUTLIERS):
        plan = plan_outliers(asked, mentions, only, table)
    else:
        plan = plan_aggregate(asked, mentions, only, table)
    if plan.task == "profile":
        return plan
    left_out = [*cut, *unplaced, *unused_columns(mentions, plan), *not_understood(asked, mentions)]
    return replace(plan, notes=(*plan.notes, *left_out))


def plan_outliers(
    asked: str, mentions: list[Mention], only: Sequence[Condition], table: Table
) -> Plan:
    group = next((m.column for m in mentions if m.by and m.column.kind == "text"), None)
    value = asked_value(mentions, only, table)
    other = said_measures(asked, mentions) or any(says(asked, words) for words in PERIODS.values())
    notes = ("I judge the values of rows, not of their totals or of periods.",) if other else ()
    return Plan("outliers", value=value, group=group, only=only, notes=notes)


def plan_aggregate(
    asked: str, mentions: list[Mention], only: Sequence[Condition], table: Table
) -> Plan:
    measures = said_measures(asked, mentions)
    ranked, comparing = says(asked, TOP) or says(asked, BOTTOM), says(asked, COMPARING)
    period = next((name for name, words in PERIODS.items() if says(asked, words)), None)
    if not (measures or ranked or period is not None or mentions or only or comparing):
        return Plan("profile")
    measure, value = measured(asked, measures, mentions, only, table)
    others = [m for m in mentions if m.column is not value]
    plan = Plan("aggregate", measure, value, only=only, ascending=says(asked, BOTTOM))
    if is_extreme(asked, value, others):
        many = limit_of(asked) or 1
        notes = (f"I cannot list {many} single rows yet: this is the first.",) if many > 1 else ()
        measure = "smallest" if plan.ascending else "largest"
        return replace(plan, measure=measure, notes=notes)
    compared = next((c.column for c in only if is_compared(c, comparing=comparing)), None)
    grouped = group_column(others, table, wanted=False) or compared
    if ranked or (comparing and not only):
        grouped = grouped or group_column(others, table, wanted=True)
    plan = replace(plan, group=grouped, limit=limit_of(asked), notes=other_measures(measures))
    if value is None and measure == "count" and measures and measures[0] != "count":
        plan = replace(plan, notes=(*plan.notes, "There is no column of numbers: I count rows."))
    return with_row_note(in_time(plan, period, mentions, table))


def with_row_note(plan: Plan) -> Plan:
    """“services with total cost above 100” may have been meant of the totals."""
    limits = [c.words for c in plan.only if c.column.kind == "number"]
    note = f"I ask “{', '.join(limits)}” of each row, not of the results."
    return replace(plan, notes=(*plan.notes, note)) if limits and plan.group else plan


def is_compared(condition: Condition, *, comparing: bool) -> bool:
    """“North and South”, “April vs May”; and, told to compare, “April and May”."""
    links = set(condition.words.split()) & {"and", "vs", "versus"}
    if not links or condition.words.startswith("without "):
        return False
    return comparing or links != {"and"} or condition.words.startswith("only ")


def is_extreme(asked: str, value: Column | None, others: list[Mention]) -> bool:
    """“the highest cost” of all, where nothing is named that has one."""
    found = re.search(rf"\b(?:{TOP}|{BOTTOM}) (?:\d+ )?(\w+)$", asked.rstrip(" ?!."))
    if not found or value is None or others:
        return False
    return bool(mentioned_columns(found[1], Table(0, [value])))


def in_time(plan: Plan, period: str | None, mentions: list[Mention], table: Table) -> Plan:
    """The plan, by periods of a column of dates where it is about time."""
    if plan.measure == "distinct" and plan.value and plan.value.kind == "date":
        return plan
    if plan.group and plan.group.kind == "date":
        return replace(plan, period=period or "month")
    if period is None:
        return plan
    if plan.group and any(m.by and m.column is plan.group for m in mentions):
        if period and not any(period in m.column.name.casefold() for m in mentions):
            note = f"I split by one thing at a time: by {plan.group.name}, not per {period}."
            return replace(plan, notes=(*plan.notes, note))
        return plan
    dates = table.of_kind("date")
    if not dates:
        if plan.group:
            return plan
        note = "There is no column of dates, so I left time out."
        return replace(plan, notes=(*plan.notes, note))
    return replace(plan, group=dates[0], period=period or fitting_period(dates[0]))


def other_measures(measures: list[str]) -> tuple[str, ...]:
    others = [name for name in measures[1:] if (measures[0], name) != ("count", "total")]
    note = (
        f"I work out one thing at a time: here the {measures[0]}, not the {{}}." if others else ""
    )
    return (note.format(" or the ".join(others)),) if others else ()


def measured(
    asked: str,
    measures: list[str],
    mentions: list[Mention],
    only: Sequence[Condition],
    table: Table,
) -> tuple[str, Column | None]:
    """What to work out, of which column; “how many” is of rows, numbers or kinds."""
    value = asked_value(mentions, only, table)
    number_of = next(re.finditer(rf"\b{NUMBER_OF}", asked), None)
    distinct = number_of and re.search(rf"\b(?:{DISTINCT})\b", number_of[0])
    start = number_of.end() if number_of else -1
    if not number_of and (listed := re.search(rf"\b(?:{DISTINCT}) ", asked)):
        distinct, start = listed, listed.end()
    words = words_of(asked)
    counted = next((m.column for m in mentions if words[m.at].start() == start), None)
    if counted and (distinct or counted.kind != "number" or is_key(counted)):
        return "distinct", counted
    if counted and not any(condition.column is counted for condition in only):
        return "total", counted
    if value is None or (measures and measures[0] == "count"):
        return "count", None
    return measures[0] if measures else "total", value


def asked_value(mentions: list[Mention], only: Sequence[Condition], table: Table) -> Column | None:
    """The numbers a question is about; those that only limit its rows are so last."""
    limits = [condition.column for condition in only]
    named = [m.column for m in mentions if not m.by]
    named.sort(key=lambda column: any(column is limit for limit in limits))
    return value_column([*named, *limits], table)


def group_column(mentions: list[Mention], table: Table, *, wanted: bool) -> Column | None:
    """What follows “by”; else a category named; else, where wanted, the first that repeats."""
    by = [mention.column for mention in mentions if mention.by]
    named = [mention.column for mention in mentions if mention.column.kind == "text"]
    texts = table.of_kind("text") if wanted else []
    repeats = [c for c in texts if 1 < len(set(c.filled())) < len(c.filled())]
    return next(iter(by + named + repeats + texts), None)


def unused_columns(mentions: list[Mention], plan: Plan) -> list[str]:
    used = [plan.value, plan.group, *(condition.column for condition in plan.only)]
    names = [m.column.name for m in mentions if not any(m.column is column for column in used)]
    names = [name for name in names if name.casefold() not in {plan.period, f"{plan.period}s"}]
    return [f"I left {' and '.join(names)} out: I take one at a time."] if names else []


def fitting_period(when: Column) -> str:
    days = [value for value in when.values if isinstance(value, date)]
    span = (max(days) - min(days)).days
    return "day" if span <= 45 else "month" if span <= 6 * 366 else "year"
