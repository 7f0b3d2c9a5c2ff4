"""Which rows a question is about: “without Email”, “in April”, “cost above 1000”. (pure)"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from csv_cells import number_text, to_number
from csv_dates import YEAR, named_times
from csv_names import GROUPING, mentioned_columns, stems, value_column
from csv_tables import Column, Table

Value = float | date | str | None

NOT = (
    r"excluding|excludes?|except(?:ing)?(?: for)?|without|(?:other|different) than|apart from|"
    r"aside from|besides|(?:all|everything|everyone) but|but not|not(?: including| counting| from|"
    r" for| in| of)?|no|non|minus|ignor(?:e|es|ing)|omit(?:s|ting)?|skip(?:s|ping)?|drop(?:ping)?|"
    r"remov(?:e|ing)|leav(?:e|ing)(?: out)?|(?:don['’]?t|do not) (?:include|count)"
)
FAR = r"(?:excluding|except|without|ignoring|omitting)(?: \w+){1,3}(?:,| or| nor| and) (?:the )?$"
LIST = re.compile(r"(?:\s|,|&|/|\b(?:and|or|nor|vs|versus|the)\b)*")
MAX_PHRASE = 8  # words of a cell named in a question
PLAIN = {  # cells of these words are hardly meant when the words are said
    *("a", "i", "the", "all", "any", "no", "yes", "none", "total", "sum", "average", "mean"),
    *("count", "number", "in", "on", "of", "by", "per", "for", "and", "or", "other", "is", "it"),
    *("top", "most", "best", "max", "min", "median", "highest", "lowest", "which", "what", "how"),
}


@dataclass(frozen=True)
class Condition:
    """Rows to keep: those whose value in `column` `keeps` lets through."""

    column: Column
    words: str
    keeps: Callable[[Value], bool]

    def __invert__(self) -> Condition:
        name = f"{self.column.name} "
        only = self.words.removeprefix("only ")
        words = only.replace(name, f"{name}not ", 1) if only == self.words else f"without {only}"
        return Condition(self.column, words, lambda value: not self.keeps(value))


@dataclass(frozen=True)
class Named:
    """A value, time or limit that a question names, from `start` to `end`."""

    start: int
    end: int
    condition: Condition
    cell: str | None = None
    bare: bool = False  # it may be one of a list: “without April and Email”


def find_conditions(asked: str, table: Table) -> tuple[list[Condition], str]:
    """The conditions in a question, and what of it is left without them."""
    named: list[Named] = []
    left = asked
    for find in (find_limits, find_times, find_cells):
        found = list(find(left, table))
        for each in found:
            left = blanked(left, each.start, each.end)
        named += found
    return settle(sorted(named, key=lambda each: each.start), asked)


def settle(named: Sequence[Named], asked: str) -> tuple[list[Condition], str]:
    """Tell what is wanted from what is not, and blank both out of the question."""
    wanted: list[Named] = []
    unwanted: list[Named] = []
    left, end, negative = asked, 0, False
    for each in named:
        between = asked[end : each.start]
        joined = each.bare and bool(between.strip()) and LIST.fullmatch(between) is not None
        far = each.bare and re.search(FAR, between)
        cue = re.search(
            rf"\b(?:{NOT})(?: the| any| all| in| for| those| that| are| is)*[\s-]*$", between
        )
        negative = bool(cue or far) or (joined and negative)
        left = blanked(left, end + cue.start() if cue else each.start, each.end)
        (unwanted if negative else wanted).append(each)
        end = each.end
    conditions = [*merged(wanted), *(~each for each in merged(unwanted))]
    return conditions, " ".join(left.split())


def blanked(text: str, start: int, end: int) -> str:
    return text[:start] + " " * (end - start) + text[end:]


def merged(named: Sequence[Named]) -> list[Condition]:
    """Cells of one column are one condition: North or South; others all have to hold."""
    cells: dict[str, list[Named]] = {}
    for each in named:
        if each.cell is not None:
            cells.setdefault(each.condition.column.name, []).append(each)
    alone = [each.condition for each in named if each.cell is None]
    return [*alone, *(any_cell(group) for group in cells.values())]


def any_cell(named: Sequence[Named]) -> Condition:
    cells = list(dict.fromkeys(each.condition.words for each in named))
    column, lower = named[0].condition.column, {str(each.cell).casefold() for each in named}
    words = f"only {', '.join(cells[:-1])}{' and ' if cells[1:] else ''}{cells[-1]}"
    return Condition(column, words, lambda value: str(value).casefold() in lower)


def find_cells(asked: str, table: Table) -> Iterator[Named]:
    """Cells of text named in the question, the longest first: “North East” is not “North”."""
    cells = cells_by_name(table)
    names = {" ".join(stems(column.name)) for column in table.columns}
    words = list(re.finditer(r"\w+(?:['’]s\b)?", asked))
    at = 0
    while at < len(words):
        for last in range(min(at + MAX_PHRASE, len(words)) - 1, at - 1, -1):
            start, end = words[at].start(), words[last].end()
            text = re.sub(r"['’]s$", "", asked[start:end])
            cue = re.search(rf"\b(?:{NOT}) (?:the )?$", asked[:start])
            plain = text in PLAIN or " ".join(stems(text)) in names
            hits = cells.get(text) or cells.get(text.removesuffix("s"))
            if hits and (cue or not plain):
                yield named_cell(asked, start, end, hits)
                at = last
                break
        at += 1


def named_cell(asked: str, start: int, end: int, hits: list[tuple[Column, str]]) -> Named:
    """A cell where it stands: in the column named beside it, else in the first, which is told."""
    wide = {c.name: with_name(asked, start, end, c) for c, _ in hits}
    beside = [hit for hit in hits if wide[hit[0].name] != (start, end)]
    column, cell = (beside or hits)[0]
    words = f"{cell} as {column.name}" if len(hits) > 1 else cell
    start, end = wide[column.name]
    return Named(start, end, Condition(column, words, cell.__eq__), cell, bare=True)


def cells_by_name(table: Table) -> dict[str, list[tuple[Column, str]]]:
    """Every cell of text as a question would have it, in each column where it stands."""
    cells: dict[str, list[tuple[Column, str]]] = {}
    for column in table.of_kind("text"):
        for value in dict.fromkeys(column.filled()):
            cell = str(value)
            name = re.sub(r"^\W+|\W+$", "", " ".join(cell.split()).casefold())
            known = cells.setdefault(name, [])
            if name and to_number(cell) is None and not (known and known[-1][0] is column):
                known.append((column, cell))
    return cells


def with_name(asked: str, start: int, end: int, column: Column) -> tuple[int, int]:
    """A cell with the name of its column beside it: “the Email service”, “region North”."""
    name = rf"{re.escape(column.name.casefold())}s?"
    if after := re.match(rf"\s+{name}\b", asked[end:]):
        return start, end + after.end()
    before = re.search(rf"(?:\b(\w+) )?\b{name}(?: is| =| ?=|:)?\s*$", asked[:start])
    if before and before[1] not in GROUPING:
        return start - len(before[0]) + len(f"{before[1]} " if before[1] else ""), end
    return start, end


def find_times(asked: str, table: Table) -> Iterator[Named]:
    """Times, where the table has a column of dates, or years in one of numbers."""
    names = " ".join(" ".join(stems(column.name)) for column in table.columns)
    when = date_column(asked, table)
    numbered = next((c for c in table.of_kind("number") if "year" in stems(c.name)), None)
    days = [value for value in when.values if isinstance(value, date)] if when else []
    for time in named_times(asked, sorted({day.year for day in days}) or [1]):
        years = {float(year) for year in re.findall(YEAR, time.words)}
        if any(f"{year:.0f}" in names for year in years):
            continue
        if when:
            kept = within(when, time.words, time.holds)
            yield Named(time.start, time.end, kept, bare=time.bare)
        elif numbered and re.fullmatch(rf"(?:in|for|of|during) {YEAR}", time.words):
            yield Named(time.start, time.end, within(numbered, time.words, years.__contains__))


def date_column(asked: str, table: Table) -> Column | None:
    dates = table.of_kind("date")
    named = [m.column for m in mentioned_columns(asked, table) if m.column.kind == "date"]
    return next(iter([*named, *dates]), None)


def within(column: Column, words: str, keeps: Callable[[Value], bool]) -> Condition:
    return Condition(column, f"{column.name} {words}", keeps)


AMOUNT = (
    r"[$€£¥]? ?-?(?:\d[\d.,]*\d|\d)(?: ?(?:k|m|thousand|million|bn|billion)\b)? ?[%€$£¥]?(?![\w-])"
)
SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}
COMPARE: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    r"at least|(?:no|not) (?:less|fewer) than|>=|≥": ("at least", operator.ge),
    r"at most|(?:no|not) more than|up to|<=|≤": ("at most", operator.le),
    r"above|over|exceed(?:s|ing)?|(?:greater|more|larger|bigger|higher) than|>": (
        "above",
        operator.gt,
    ),
    r"below|under|(?:less|fewer|smaller|lower) than|<": ("below", operator.lt),
    r"equals?(?: to)?|(?:is )?exactly|is|=": ("of exactly", operator.eq),
}
LIMIT = re.compile(
    rf"(?:(?<![\w<>=])|(?=[<>=≥≤])(?<![<>=]))"
    rf"(?:(?:between|from) (?P<low>{AMOUNT}) (?:and|to) (?P<high>{AMOUNT})|"
    rf"(?P<how>{'|'.join(COMPARE)}) ?(?P<number>{AMOUNT}))(?! ?(?:rows?|times|entries|records)\b)"
)


def find_limits(asked: str, table: Table) -> Iterator[Named]:
    """Limits to a column of numbers: the one named beside them, else the likeliest."""
    for found in LIMIT.finditer(asked):
        if is_time(found, table):
            continue
        column = limited_column(asked, found, table)
        limit = between(found) if found["low"] else compared(found)
        if column and limit:
            words, keeps = limit
            yield Named(found.start(), found.end(), within(column, words, keeps))


def is_time(found: re.Match[str], table: Table) -> bool:
    """“between 2024 and 2026” is a time where such years are in the table, else a limit."""
    if not re.fullmatch(rf"(?:(?:between|from) {YEAR} (?:and|to)|up to) {YEAR}", found[0]):
        return False
    days = [day for column in table.of_kind("date") for day in column.values]
    near = {day.year + more for day in days if isinstance(day, date) for more in (-1, 0, 1)}
    return near.issuperset(map(int, re.findall(YEAR, found[0])))


def between(found: re.Match[str]) -> tuple[str, Callable[[Value], bool]] | None:
    low, high = amount(found["low"]), amount(found["high"])
    if low is None or high is None:
        return None
    words = f"between {number_text(low)} and {number_text(high)}"
    return words, lambda value: isinstance(value, float) and low <= value <= high


def compared(found: re.Match[str]) -> tuple[str, Callable[[Value], bool]] | None:
    number = amount(found["number"])
    if number is None:
        return None
    word, compare = next(COMPARE[how] for how in COMPARE if re.fullmatch(how, found["how"]))
    words = f"{word} {number_text(number)}"
    return words, lambda value: isinstance(value, float) and compare(value, number)


def limited_column(asked: str, found: re.Match[str], table: Table) -> Column | None:
    after, before = asked[found.end() :].split()[:1], asked[: found.start()].split()
    beside = numbers_named(before, table)[::-1] + numbers_named([asked], table)
    return value_column([*numbers_named(after, table), *beside], table)


def numbers_named(words: Sequence[str], table: Table) -> list[Column]:
    mentions = mentioned_columns(" ".join(words), table)
    return [mention.column for mention in mentions if mention.column.kind == "number"]


def amount(text: str) -> float | None:
    """“1,000”, “€2.5k”, “3 million”."""
    scaled = re.fullmatch(rf"(.*?) ?({'|'.join(SCALES)})?", text.strip())
    number = to_number(scaled[1].replace(" ", "")) if scaled else None
    return number * SCALES.get(scaled[2], 1.0) if scaled and number is not None else None
