"""Times named in a question: “in April”, “since 2026-03”, “Q2 2025”, “May to July”. (pure)"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

Span = tuple[date, date]  # first and last day

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
MONTH = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
YEAR = r"(?:19|20)\d\d"
TIME = (
    rf"(?:\d{{4}}-\d\d?-\d\d?|{YEAR}[- ]?q[1-4]|{YEAR}-\d\d?|q[1-4](?:[ ,-]*{YEAR})?|"
    rf"(?:{MONTH})(?:,? (?:of )?{YEAR})?|{YEAR})(?![\w-])"
)
HOW = (
    "in|for|during|of|on|within|between|from|since|starting(?: in| from)?|"
    "after|before|until|till|up to|through"
)
PHRASE = re.compile(
    rf"(?:\b(?P<how>{HOW}) )?(?<![\w.,-])(?P<first>{TIME})"
    rf"(?: ?(?:-|–|to|until|till|through) ?(?P<last>{TIME}))?"
    rf"(?P<more>(?:(?:,? and|,? or| vs| versus|,|/) ?{TIME})*)(?P<on> on(?:wards?)?\b)?"
)

MEANT = re.compile(r"(?:without|excluding|except|not|and|or|,) ?$")  # before the month of May


@dataclass(frozen=True)
class Time:
    """Words of a question that name a time, and the days they mean."""

    start: int
    end: int
    words: str
    spans: Sequence[Span]
    bare: bool  # no word before it says how it is meant

    def holds(self, day: object) -> bool:
        return isinstance(day, date) and any(first <= day <= last for first, last in self.spans)


def named_times(asked: str, years: Sequence[int]) -> Iterator[Time]:
    """Times in a question; a month or quarter without its year is meant in each of `years`."""
    for found in PHRASE.finditer(asked):
        how = found["how"] or ""
        if found["first"] == "may" and not (how or MEANT.search(asked[: found.start()])):
            continue
        spans = [span for year in years for span in spans_of(found, year)]
        open_end = any(date.min in span or date.max in span for span in spans)
        whose = re.search(YEAR, found[0]) or len(years) == 1 or not open_end
        if spans and whose:  # “since April” of which year?
            words = found[0].strip() if how else f"in {found[0].strip()}"
            named = re.sub(rf"\b(?:{MONTH}|q[1-4])\b", lambda name: name[0].title(), words)
            yield Time(found.start(), found.end(), named, list(dict.fromkeys(spans)), not how)


def spans_of(found: re.Match[str], year: int) -> list[Span]:
    """The days meant by one phrase, where a year it does not name is `year`."""
    times = [found["first"], *filter(None, [found["last"]]), *re.findall(TIME, found["more"])]
    years = [re.search(YEAR, time) for time in times]
    known = next((int(each[0]) for each in years if each), year)
    spans = [span for time in times if (span := span_of(time, known))]
    if len(spans) < len(times):
        return []
    (first, last), end = spans[0], spans[-1][1]
    how = (found["how"] or "").split(" ")[0]
    if found["last"] or how == "between":
        return [(first, end)] if first <= end else []
    ranges = {"after": (after(last), date.max), "before": (date.min, before(first))}
    ranges |= dict.fromkeys(("since", "starting"), (first, date.max))
    ranges |= dict.fromkeys(("until", "till", "up", "through"), (date.min, last))
    return [(first, date.max)] if found["on"] else [ranges[how]] if how in ranges else spans


def after(day: date) -> date:
    return date.fromordinal(min(day.toordinal() + 1, date.max.toordinal()))


def before(day: date) -> date:
    return date.fromordinal(max(day.toordinal() - 1, 1))


def span_of(time: str, year: int) -> Span | None:
    """“2026-04-03”, “2026-04”, “q2 2026”, “april”, “2026” → first and last day."""
    if found := re.search(YEAR, time):
        year = int(found[0])
    numbers = [int(number) for number in re.findall(r"\d+", time)]
    try:
        if re.fullmatch(r"\d{4}-\d\d?-\d\d?", time):
            return (day := date(*numbers)), day
        if quarter := re.search(r"q([1-4])", time):
            return months(year, 3 * int(quarter[1]) - 2, 3 * int(quarter[1]))
        if name := re.match(MONTH, time):
            number = MONTHS.index(name[0][:3]) + 1
            return months(year, number, number)
        return months(year, *(numbers[1:] * 2 or [1, 12]))
    except ValueError:
        return None


def months(year: int, first: int, last: int) -> Span:
    return date(year, first, 1), date(year, last, calendar.monthrange(year, last)[1])
