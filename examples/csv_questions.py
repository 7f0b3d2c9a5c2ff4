"""A small, honest keyword grammar: a question and a table's own names → what to compute. (pure)"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any  # JSON

from csv_tables import Column, Table

ABILITIES = (
    "I can add up, average, count, rank and compare (“total cost by service”, “top 5 products by "
    "revenue”), follow something over time (“revenue per month”) and look for unusual values."
)

MEASURES = {
    "count": r"how many|count|number of",
    "average": r"average|mean|avg|typical",
    "largest": r"maximum|max|peak",
    "smallest": r"minimum|min",
    "total": r"total|sum|altogether|overall",
}
TOP, BOTTOM = r"top|most|highest|largest|biggest|best", r"bottom|least|lowest|smallest|fewest|worst"
PERIODS = {
    "day": r"daily|(?:per|by|each|every) day",
    "week": r"weekly|(?:per|by|each|every) week",
    "month": r"monthly|months?",
    "year": r"yearly|annual(?:ly)?|years?",
    "": r"trends?|over time|develop\w*|grow\w*|histor\w+",  # as fits the span of the dates
}
OUTLIERS = r"outliers?|unusual\w*|anomal\w+|odd|strange|suspicious|extreme\w*|wrong"
GROUPING = {"by", "per", "each", "every", "across", "which", "between", "compare", "what"}
COMPARING = r"compar\w*|rank\w*|break\w*|split|versus|vs|share"


@dataclass(frozen=True)
class Plan:
    """What to compute: `measure` of `value` for each `group` (or `period` of it) of some rows."""

    task: str  # "aggregate", "outliers" or "profile"
    measure: str = "total"
    value: Column | None = None
    group: Column | None = None
    period: str | None = None
    limit: int | None = None
    ascending: bool = False
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def title(self) -> str:
        what = "Number of rows" if self.value is None else f"{self.measure} {self.value.name}"
        split = (
            f" per {self.period}" if self.period else f" by {self.group.name}" if self.group else ""
        )
        return what[:1].upper() + what[1:] + split

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
        only = {name: sorted(values) for name, values in self.only.items()}
        return {k: v for k, v in (named | rest | {"top": self.limit, "only": only}).items() if v}


def interpret(question: str, table: Table) -> Plan:
    """Match a question against the keywords above and the table's own names."""
    asked = re.sub(r"\s+", " ", question[:500]).casefold()
    only = mentioned_values(asked, table)
    measure = next((name for name, words in MEASURES.items() if says(asked, words)), None)
    ranked = says(asked, TOP) or says(asked, BOTTOM)
    mentions = mentioned_columns(asked, table, ranked=ranked)
    period = next((name for name, words in PERIODS.items() if says(asked, words)), None)
    if says(asked, OUTLIERS):
        group = next((c for c, by in mentions if by and c.kind == "text"), None)
        return Plan("outliers", value=value_column(mentions, table), group=group, only=only)
    if not (measure or ranked or period is not None or mentions or only or says(asked, COMPARING)):
        return Plan("profile")
    value = None if measure == "count" else value_column(mentions, table)
    plan = Plan("aggregate", measure or "total" if value else "count", value, only=only)
    grouped = group_column(mentions, table, wanted=ranked or says(asked, COMPARING) or bool(only))
    plan = replace(plan, group=grouped, limit=limit_of(asked), ascending=says(asked, BOTTOM))
    if period is None or (grouped and grouped.kind == "text"):
        return replace(plan, period="month") if grouped and grouped.kind == "date" else plan
    dates = table.of_kind("date")
    if not dates:
        return replace(plan, notes=("There is no column of dates, so I left time out.",))
    when = grouped if grouped and grouped.kind == "date" else dates[0]
    return replace(plan, group=when, period=period or fitting_period(when))


def says(asked: str, words: str) -> bool:
    return re.search(rf"\b(?:{words})\b", asked) is not None


def limit_of(asked: str) -> int | None:
    found = re.search(r"\b(?:top|bottom|first|last|best|worst)\s+(\d{1,3})\b", asked)
    return int(found[1]) or None if found else None


def stems(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).casefold())
    return [re.sub("ies$", "y", word).removesuffix("s") or word for word in words]


def mentioned_columns(asked: str, table: Table, *, ranked: bool) -> list[tuple[Column, bool]]:
    """Columns named in a question, in its order, and whether each is to group by."""
    words = stems(asked)
    scored = sorted(
        (
            (score, span, at, column)
            for column in table.columns
            for score, span, at in likenesses(stems(column.name), words)
        ),
        key=lambda match: (-match[0], match[2]),
    )
    taken: dict[int, Column] = {}
    for _, span, at, column in scored:
        if column not in taken.values() and not any(i in taken for i in range(at, at + span)):
            taken |= dict.fromkeys(range(at, at + span), column)
    order = {id(column): at for at, column in sorted(taken.items(), reverse=True)}
    found = sorted(
        (column for column in table.columns if id(column) in order), key=lambda c: order[id(c)]
    )
    before = ["", *words]
    return [(c, groups_by(c, before[order[id(c)]], ranked=ranked)) for c in found]


def groups_by(column: Column, before: str, *, ranked: bool) -> bool:
    """“by region”, “which year”; but “top 5 by revenue” names what to rank by."""
    if column.kind != "number":
        return before in GROUPING
    return before in GROUPING - {"compare", "between"} and not (ranked and before == "by")


def likenesses(name: list[str], words: list[str]) -> Iterable[tuple[float, int, int]]:
    """(likeness, words, position) wherever a name, or one word of it, stands in a question."""
    for span, target, weight in [(len(name), name, 1.0), *((1, [part], 0.9) for part in name)]:
        text = " ".join(target)
        for at in range(len(words) - span + 1 if len(text) > 1 else 0):
            like = difflib.SequenceMatcher(None, text, " ".join(words[at : at + span])).ratio()
            if like >= 0.83:
                yield like * weight, span, at


def mentioned_values(asked: str, table: Table) -> dict[str, frozenset[str]]:
    """Cells named in a question (“compare North and South”), by column."""
    found: dict[str, frozenset[str]] = {}
    for column in table.of_kind("text"):
        cells = {str(cell) for cell in column.filled()}
        if len(cells) <= 200:
            named = [c for c in cells if len(c) > 1 and says(asked, re.escape(c.casefold()))]
            found |= {column.name: frozenset(named)} if named else {}
    return found


def value_column(mentions: list[tuple[Column, bool]], table: Table) -> Column | None:
    named = [c for c, by in mentions if c.kind == "number" and not by]
    likely = ("amount", "total", "revenue", "sale", "cost", "price", "value", "spend")
    others = [c for c in table.of_kind("number") if not is_key(c)]
    others.sort(key=lambda c: not set(likely) & set(stems(c.name)))
    return next(iter(named + others), None)


def is_key(column: Column) -> bool:
    return bool({"id", "no", "year", "zip", "code", "key", "number"} & set(stems(column.name)))


def group_column(
    mentions: list[tuple[Column, bool]], table: Table, *, wanted: bool
) -> Column | None:
    """What follows “by”; else a category named; else, where wanted, the first that repeats."""
    by = [column for column, follows in mentions if follows]
    named = [column for column, _ in mentions if column.kind == "text"]
    texts = table.of_kind("text") if wanted else []
    repeats = [c for c in texts if 1 < len(set(c.filled())) < len(c.filled())]
    return next(iter(by + named + repeats + texts), None)


def fitting_period(when: Column) -> str:
    days = [value for value in when.values if isinstance(value, date)]
    span = (max(days) - min(days)).days
    return "day" if span <= 45 else "month" if span <= 6 * 366 else "year"
