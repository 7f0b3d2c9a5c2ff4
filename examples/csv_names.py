"""Names in a question: which columns of a table are meant, and what each is named for. (pure)"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from csv_tables import Column, Table

ALIKE = 0.83  # so a name of one letter has to be the same
GROUPING = {"by", "per", "each", "every", "across", "which", "between", "compare", "what"}
LIKELY = {"amount", "total", "revenue", "sale", "cost", "price", "value", "spend"}
KEYS = {"id", "no", "year", "zip", "code", "key", "number"}
COMMON = {  # as one word of several in a name, these name no column
    *("total", "sum", "average", "avg", "mean", "median", "count", "number", "max", "min"),
    *("of", "the", "by", "per", "in", "and", "for", "to", "on", "from", "at", "is"),
}


@dataclass(frozen=True)
class Mention:
    """A column named in a question: `span` words of it, from word `at` on."""

    column: Column
    by: bool  # it is to group by
    at: int
    span: int

    @property
    def words(self) -> range:
        return range(self.at, self.at + self.span)


def words_of(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"[^\W_]+", text))


def stems(text: str) -> list[str]:
    words = words_of(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).casefold())
    return [re.sub("ies$", "y", word[0]).removesuffix("s") or word[0] for word in words]


def mentioned_columns(asked: str, table: Table, *, ranked: bool = False) -> list[Mention]:
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
    found = []
    for _, span, at, column in scored:
        if column not in taken.values() and not any(i in taken for i in range(at, at + span)):
            taken |= dict.fromkeys(range(at, at + span), column)
            by = groups_by(column, ["", *words][at], ranked=ranked)
            found.append(Mention(column, by, at, span))
    return sorted(found, key=lambda mention: mention.at)


def groups_by(column: Column, before: str, *, ranked: bool) -> bool:
    """“by region”, “which year”; but “top 5 by revenue” names what to rank by."""
    if column.kind != "number":
        return before in GROUPING
    return before in GROUPING - {"compare", "between"} and not (ranked and before == "by")


def likenesses(name: list[str], words: list[str]) -> Iterable[tuple[float, int, int]]:
    """(likeness, words, position) wherever a name, or one word of it, stands in a question."""
    parts = [part for part in name if len(part) > 1 and part not in COMMON]
    for span, target, weight in [(len(name), name, 1.0), *((1, [part], 0.9) for part in parts)]:
        text = " ".join(target)
        for at in range(len(words) - span + 1 if text else 0):
            match = difflib.SequenceMatcher(None, text, " ".join(words[at : at + span]))
            like = match.ratio() if match.real_quick_ratio() >= ALIKE else 0.0
            if like >= ALIKE:
                yield like * weight, span, at


def value_column(named: Sequence[Column], table: Table) -> Column | None:
    """The numbers meant: those named, else the likeliest that are no key."""
    others = [column for column in table.of_kind("number") if not is_key(column)]
    others.sort(key=lambda column: not LIKELY & set(stems(column.name)))
    return next(iter([*(c for c in named if c.kind == "number"), *others]), None)


def is_key(column: Column) -> bool:
    return bool(KEYS & set(stems(column.name)))
