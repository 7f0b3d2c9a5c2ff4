"""Conditions in a question: each is met by the answer, or the answer says that it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import pytest
from csv_conditions import find_conditions
from csv_findings import aggregate
from csv_questions import interpret
from csv_tables import read_table
from hypothesis import given
from hypothesis import strategies as st

from tests.examples.test_csv_analyst import ask, rows


class Bill(NamedTuple):
    month: str
    service: str
    cost: int


BILLS = [
    Bill(f"{year}-{month:02}-01", service, cost * month)
    for year in (2025, 2026)
    for month in (1, 4, 5, 8)
    for service, cost in (("Compute", 500), ("Network", 90), ("Email", 7), ("Network East", 11))
]


def as_csv(bills: list[Bill]) -> str:
    return "month,service,cost\n" + "".join(f"{','.join(map(str, bill))}\n" for bill in bills)


def total(keeps: Callable[[Bill], bool]) -> int:
    return sum(bill.cost for bill in BILLS if keeps(bill))


@pytest.mark.parametrize(
    ("question", "keeps"),
    [
        ("total cost without Email", lambda b: b.service != "Email"),
        ("total cost, excluding Network", lambda b: b.service != "Network"),
        ("cost for everything but Compute", lambda b: b.service != "Compute"),
        ("cost without Network and Email", lambda b: b.service not in ("Network", "Email")),
        ("cost except for the Email service", lambda b: b.service != "Email"),
        ("cost of services other than Email", lambda b: b.service != "Email"),
        ("total cost without weekends or Email", lambda b: b.service != "Email"),
        ("cost of Network", lambda b: b.service == "Network"),
        ("cost of Network East", lambda b: b.service == "Network East"),
        ("Network’s cost, not in 2025", lambda b: b.service == "Network" and b.month >= "2026"),
        ("How much did Network cost in April?", lambda b: b[1] == "Network" and "-04-" in b.month),
        ("cost in 2026-04", lambda b: b.month.startswith("2026-04")),
        ("cost in Q2 2026", lambda b: b.month[:7] in ("2026-04", "2026-05")),
        ("cost in april and may", lambda b: b.month[5:7] in ("04", "05")),
        ("cost in April vs May", lambda b: b.month[5:7] in ("04", "05")),
        ("cost in 2026", lambda b: b.month >= "2026"),
        ("cost without May", lambda b: b.month[5:7] != "05"),
        (
            "cost without May, Email and Compute",
            lambda b: b.month[5:7] != "05" and b.service[:1] == "N",
        ),
        ("cost without Email in May", lambda b: b.month[5:7] == "05" and b.service != "Email"),
        ("cost since April 2026", lambda b: b.month >= "2026-04"),
        ("cost before 2026-05", lambda b: b.month < "2026-05"),
        ("cost from 2025-05 to 2026-04", lambda b: "2025-05" <= b.month <= "2026-04-30"),
        ("cost between May 2025 and April 2026", lambda b: "2025-05" <= b.month <= "2026-04-30"),
        ("cost between 2025 and 2026", lambda _: True),
        ("cost above 1000", lambda b: b.cost > 1000),
        ("costs of more than €1k", lambda b: b.cost > 1000),
        ("total cost where cost>=1000", lambda b: b.cost >= 1000),
        ("cost from 90 to 500", lambda b: 90 <= b.cost <= 500),
        ("cost is 500", lambda b: b.cost == 500),
        ("cost not above 1,000", lambda b: b.cost <= 1000),
        ("cost of at least 88 and below 500", lambda b: 88 <= b.cost < 500),
        ("cost between 90 and 500", lambda b: 90 <= b.cost <= 500),
    ],
)
def test_a_condition_keeps_the_rows_it_names(question: str, keeps: Callable[[Bill], bool]) -> None:
    assert sum(row[1] for row in rows(question, as_csv(BILLS))) == total(keeps)


@pytest.mark.parametrize(
    ("question", "missed"),
    [
        ("total cost by service in Atlantis", "“atlantis”"),
        ("cost excluding weekends", "“excluding weekends”"),
        ("cost since April", "“since april”"),
        ("cost last month", "“last month”"),
        ("correlation of cost", "“correlation”"),
        ("second highest service", "“second”"),
        ("average and median cost", "not the median"),
        ("cost by service per week", "not per week"),
        ("services with total cost above 700", "of each row"),
        ("unusual total cost per quarter", "not of their totals or of periods"),
        ("total cost " + "of it all " * 50, "first 500 characters"),
        ("10 highest costs", "cannot list 10"),
    ],
)
def test_what_is_not_heeded_is_told(question: str, missed: str) -> None:
    assert missed in " ".join(ask(question, as_csv(BILLS))["notes"])


def test_a_column_that_is_left_out_is_told() -> None:
    report = ask("cost and visits by team", "team,cost,visits\nNorth,1,10\nSouth,2,20\n")
    assert report["table"]["rows"] == [["South", 2, 1], ["North", 1, 1]]
    assert report["notes"] == ["I left visits out: I take one at a time."]


@pytest.mark.parametrize(
    "question",
    [
        "What is the total cost by service, excluding Email, in April 2026?",
        "How much did we spend on Network since 2026-04?",
        "show me the top 2 services by cost in 2025",
        "Which month had the highest cost?",
        "median cost per quarter for Compute and Network",
    ],
)
def test_what_is_heeded_is_in_the_title_and_needs_no_note(question: str) -> None:
    assert ask(question, as_csv(BILLS))["notes"] == []


def test_conditions_stand_in_the_title_and_so_in_the_answer() -> None:
    report = ask("total cost by service without Email in April, above 50", as_csv(BILLS))
    title = "Total cost by service, month in April, cost above 50, without Email"
    assert report["title"] == title
    assert str(report["summary"]).startswith(f"{title}: Compute is highest")


@pytest.mark.parametrize(
    ("question", "words", "number"),
    [("n for Oslo", "only Oslo as start", 1), ("n without Oslo end", "without Oslo as end", 4)],
)
def test_a_cell_of_two_columns_is_told_with_its_column(
    question: str, words: str, number: int
) -> None:
    report = ask(question, "start,end,n\nOslo,Bern,1\nBern,Oslo,2\nBern,Rome,3\n")
    assert report["title"] == f"Total n, {words}"
    assert report["table"]["rows"][0][1] == number


def test_no_row_left_is_no_zero() -> None:
    report = ask("cost in 2019", as_csv(BILLS))
    assert report["summary"] == "Total cost, month in 2019: no row holds such a value."


def test_a_part_is_told_of_the_whole() -> None:
    report = ask("what share of n is x?", "name,n\nx,1\ny,3\n")
    assert report["summary"] == "Total n, only x: 1, 25% of 4 in all, from 1 row."


def test_a_quarter_is_a_period() -> None:
    found = rows("cost per quarter", as_csv(BILLS))
    assert [row[0] for row in found][:3] == ["2025-Q1", "2025-Q2", "2025-Q3"]
    assert found[1][1] == total(lambda b: b.month[:7] in ("2025-04", "2025-05"))


def test_the_top_months_are_ranked() -> None:
    assert [row[0] for row in rows("top 2 months by cost in 2026", as_csv(BILLS))] == [
        "2026-08",
        "2026-05",
    ]


@pytest.mark.parametrize("question", ["cost in April vs May", "compare cost in April and May"])
def test_times_that_are_compared_are_told_apart(question: str) -> None:
    report = ask(f"{question} without Email", as_csv(BILLS))
    months = ["2025-04", "2025-05", "2026-04", "2026-05"]
    assert [row[0] for row in report["table"]["rows"]] == months


def test_a_median_is_no_total() -> None:
    assert rows("median n by k", "k,n\na,1\na,2\na,30\n") == [["a", 2, 3]]


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("how many services are there?", 4),
        ("how many different services in April", 4),
        ("how many months", 8),
        ("number of distinct services without Email", 3),
        ("how many rows", 32),
        ("how many rows with cost above 1000", 6),
    ],
)
def test_kinds_and_rows_are_counted_as_asked(question: str, number: int) -> None:
    assert rows(question, as_csv(BILLS))[0][1] == number


def test_how_many_of_a_number_is_their_total() -> None:
    assert rows("how many visits per team", "team,visits\nNorth,5\nNorth,6\n") == [["North", 11, 2]]


def test_the_highest_number_of_all_is_no_total() -> None:
    assert ask("what is the highest cost?", as_csv(BILLS))["summary"].startswith(
        "Largest cost: 4,000"
    )


@pytest.mark.parametrize(
    ("question", "named"), [("average w", "w"), ("total v", "v"), ("unusual k", "k")]
)
def test_a_column_of_one_letter_can_be_named(question: str, named: str) -> None:
    plan = interpret(question, read_table("k,v,w\n1,2,3\n4,5,6\n"))
    assert plan.value is not None
    assert plan.value.name == named


NAMES = ["Compute", "Network", "Network East", "Email", "Q 7", "R&D"]
TABLES = st.lists(
    st.builds(
        Bill,
        st.dates(date(1990, 1, 1), date(2089, 12, 31)).map(str),
        st.sampled_from(NAMES),
        st.integers(-5000, 5000),
    ),
    min_size=1,
    max_size=12,
)


@given(TABLES, st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True), st.booleans())
def test_the_total_of_some_cells_and_of_the_others_is_a_plain_sum(
    bills: list[Bill], named: list[str], without: bool
) -> None:
    question = f"total cost {'without' if without else 'for'} {' and '.join(named)}"
    bills = [*bills, *(Bill("2000-01-01", name, 0) for name in named)]
    assert_total(question, bills, lambda b: (b.service in named) != without)


@given(TABLES, st.integers(-6000, 6000), st.sampled_from(["above", "at most"]))
def test_the_total_beyond_a_limit_is_a_plain_sum(bills: list[Bill], limit: int, how: str) -> None:
    above = how == "above"
    assert_total(f"total cost {how} {limit}", bills, lambda b: (b.cost > limit) == above)


@given(
    TABLES, st.integers(1990, 2089), st.integers(1, 12), st.sampled_from(["in", "since", "not in"])
)
def test_the_total_of_a_month_is_a_plain_sum(
    bills: list[Bill], year: int, month: int, how: str
) -> None:
    named = f"{year}-{month:02}"
    keeps: dict[str, Callable[[Bill], bool]] = {
        "in": lambda b: b.month[:7] == named,
        "since": lambda b: b.month[:7] >= named,
        "not in": lambda b: b.month[:7] != named,
    }
    assert_total(f"total cost {how} {named}", bills, keeps[how])


def assert_total(question: str, bills: list[Bill], keeps: Callable[[Bill], bool]) -> None:
    table = read_table(as_csv(bills))
    only, _ = find_conditions(question, table)
    kept = [bill for bill in bills if keeps(bill)]
    found = aggregate(table, interpret(question, table)).rows
    assert math.fsum(float(str(row[1])) for row in found) == sum(bill.cost for bill in kept), only
