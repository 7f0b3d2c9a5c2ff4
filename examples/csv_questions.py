"""The questions that a table allows, and which one of them a message asks, if any. (pure)

A message is understood only if every word of it is: any other word might change what it asks.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from csv_tables import Column, Table

MAX_ASKED = 300
MEASURES = {"total": "total", "sum": "total", "average": "average", "mean": "average"}
MEASURES |= {"median": "median", "largest": "largest", "maximum": "largest"}
MEASURES |= {"smallest": "smallest", "minimum": "smallest"}
WORDS = dict.fromkeys(MEASURES, "M") | {"by": "B", "per": "B", "each": "B"}
WORDS |= {"day": "P", "week": "P", "month": "P", "year": "P", "many": "N", "rows": "R"}
WORDS |= {"unusual": "U", "outliers": "U", "describe": "D", "check": "A", "value": "V"}
FILLERS = {"a", "an", "the", "is", "are", "what", "was", "were", "show", "me", "please", "tell"}
FILLERS |= {"how", "there", "do", "we", "have", "anything", "of", "in", "every", "this", "table"}
KNOWN = {*WORDS, *FILLERS}
SHAPES = {  # the order of word kinds (C: a column's name) → what is asked
    "describe": r"D",
    "check": r"AV",
    "count": r"NR(BC|BP)?",
    "unusual": r"UV?C",
    "aggregate": r"MV?C(BC|BP)?|CBC|CBP",
}


@dataclass(frozen=True)
class Question:
    """What to work out. `period` groups by a column of dates: day, week, month or year."""

    task: str  # a key of SHAPES
    measure: str = "total"
    value: Column | None = None
    group: Column | None = None
    period: str | None = None

    @property
    def text(self) -> str:
        """The question in the words in which it is offered, and understood."""
        value = self.value.name if self.value else ""
        group = self.group.name if self.group else ""
        by = f" per {self.period}" if self.period else f" by {group}" if group else ""
        measure = self.measure if self.measure == "total" else f"{self.measure} value of"
        return {
            "describe": "Describe the table",
            "check": "Check every value",
            "count": f"How many rows{by}?",
            "unusual": f"Anything unusual in {value}?",
            "aggregate": f"{measure.capitalize()} {value}{by}",
        }[self.task]


def offered(table: Table) -> list[Question]:
    """The questions to offer for a table: each is understood as what it is."""
    return [each for each in candidates(table) if understand(each.text, table) == each]


def candidates(table: Table) -> Iterator[Question]:
    values, dates = table.of_kind("number"), table.of_kind("date")
    texts = table.of_kind("text")  # its values make groups if some of them repeat
    groups = [each for each in texts if 1 < len(set(each.filled())) < len(each.filled())][:2]
    for value in values[:1]:
        yield from (Question("aggregate", "total", value, group) for group in groups)
        yield from (Question("aggregate", "total", value, each, "month") for each in dates)
        yield Question("unusual", value=value)
    yield from (Question("count", group=group) for group in [*groups[:1], None])
    yield from (Question("describe"), Question("check"))


def understand(message: str, table: Table) -> Question | None:
    """The question that the message asks, or None unless that is certain."""
    tokens = list(tokens_of(message, table)) if len(message) <= MAX_ASKED else [("?", "")]
    kinds = "".join(kind for kind, _ in tokens)
    for task, shape in SHAPES.items():
        if re.fullmatch(shape, kinds):
            return question_of(task, tokens, table)
    return None


def question_of(
    task: str, tokens: Sequence[tuple[str, str | Column]], table: Table
) -> Question | None:
    columns = [each for _, each in tokens if isinstance(each, Column)]
    said = {kind: each for kind, each in tokens if isinstance(each, str)}
    value = None if task in ("describe", "check", "count") else columns.pop(0)
    group, dates = next(iter(columns), None), table.of_kind("date")
    if (value and value.kind != "number") or ("P" in said and len(dates) != 1):
        return None
    if group and group.kind == "number" and said.get("B") == "per":  # cost per unit is a ratio
        return None
    group = dates[0] if "P" in said else group
    return Question(task, MEASURES[said.get("M", "total")], value, group, said.get("P"))


def tokens_of(message: str, table: Table) -> Iterator[tuple[str, str | Column]]:
    """(kind, word or column) for each word that is no filler; kind “?” for an unknown word."""
    words, names = words_of(message), names_of(table)
    longest = max(map(len, names), default=0)
    at = 0
    while at < len(words):
        for size in range(min(longest, len(words) - at), 0, -1):
            name = tuple(words[at : at + size])
            if name in names:
                yield ("C", column) if (column := names[name]) else ("?", "")
                break
        else:
            size, word = 1, words[at]
            if word not in FILLERS:
                yield WORDS.get(word, "?"), word
        at += size


def names_of(table: Table) -> dict[tuple[str, ...], Column | None]:
    """Each column by the words of its name, also in the plural; None for a name that two share, or
    that can be read in parts: “average cost” beside “cost”."""
    names: dict[tuple[str, ...], Column | None] = {}
    for column in table.columns:
        words = tuple(words_of(column.name))
        for form in {words, (*words[:-1], words[-1] + "s")} if words else ():
            names[form] = None if form in names else column
    return {form: None if in_parts(form, names) else names[form] for form in names}


def in_parts(form: tuple[str, ...], names: Container[tuple[str, ...]]) -> bool:
    """Whether a name consists of other names and of words that are understood."""
    parts = [(known, tuple(part)) for known, part in groupby(form, KNOWN.__contains__)]
    return len(parts) > 1 and all(known or part in names for known, part in parts)


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+|[^\s\w?!.,;:'’\"“”()/_]", text.casefold())
