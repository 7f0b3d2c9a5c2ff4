"""The demo agent answers what it understands for certain, and nothing else."""

from __future__ import annotations

import json
from typing import Any  # a report is plain JSON

import pytest
from csv_answers import answer_to
from csv_questions import offered, understand
from csv_tables import UnreadableTable, read_table
from hypothesis import example, given
from hypothesis import strategies as st

SALES = """\
Date,Region,Product,Units,Revenue
2026-01-05,North,Desk,2,"€1,200.00"
2026-01-20,South,Chair,4,€400.00
2026-02-03,North,Chair,6,€600.00
2026-02-17,South,Desk,1,€600.00
2026-03-02,West,Lamp,10,€250.00
2026-03-09,North,Desk,3,"€1,800.00"
"""
COSTS = "month,service,team,cost\n2026-01-01,Mail,A,3\n2026-02-01,Mail,B,5\n2026-02-01,Web,B,9\n"
LOADS = "day,load\n" + "".join(f"d{i},{10 + i % 3}\n" for i in range(12)) + "d12,95\n"
PEOPLE = "name,start,end\nann,2020-01-01,2021-01-01\nbob,2020-02-01,2022-01-01\n"
YEARS = "team,2025,2026,cost,cost center\na,1,2,3,x\nb,4,5,6,x\n"
TABLES = {"sales": SALES, "costs": COSTS, "loads": LOADS, "people": PEOPLE, "years": YEARS}


def ask(question: str, text: str = SALES) -> dict[str, Any] | None:
    table = read_table(text)
    found = understand(question, table)
    return answer_to(found, table) if found else None


def rows(question: str, text: str = SALES) -> list[list[Any]]:
    report = ask(question, text)
    assert report is not None, "it is not sure"
    return [list(row) for row in report["table"]["rows"]]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the total revenue by region?",
         [["North", 3600, 3], ["South", 1000, 2], ["West", 250, 1]]),
        ("revenue per region", [["North", 3600, 3], ["South", 1000, 2], ["West", 250, 1]]),
        ("average REVENUE per products", [["Desk", 1200, 3], ["Chair", 500, 2], ["Lamp", 250, 1]]),
        ("How many rows are there by region?", [["North", 3, 3], ["South", 2, 2], ["West", 1, 1]]),
        ("total revenue per month",
         [["2026-01", 1600, 2], ["2026-02", 1200, 2], ["2026-03", 2050, 2]]),
        ("what is the total of revenue?", [["all rows", 4850, 6]]),
        ("maximum revenue", [["all rows", 1800, 6]]),
    ],
)  # fmt: skip
def test_a_question_of_known_words_is_answered_with_its_numbers(
    question: str, expected: list[list[Any]]
) -> None:
    assert rows(question) == expected


def test_an_unusual_value_is_found_by_its_distance_from_the_median() -> None:
    assert rows("anything unusual in load?", LOADS) == [["d12", 95]]


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("sales", "total revenue by region in January"),  # conditions
        ("sales", "revenue of North"),
        ("sales", "revenue by region without Desk"),
        ("sales", "revenue not by region"),
        ("sales", "products whose revenue is above 1000 by region"),
        ("sales", "total revenue and units by region"),  # two things at once
        ("sales", "revenue by region by product"),
        ("sales", "revenue per month by region"),
        ("sales", "How many regions?"),  # rows, or different ones?
        ("sales", "How many units?"),  # rows, or the total?
        ("sales", "which region has the highest revenue?"),  # in total, or in one row?
        ("sales", "compare revenue by region"),
        ("sales", "revenue"),
        ("sales", "total region by product"),  # no numbers
        ("sales", "top 3 regions by units"),
        ("sales", "revenue per units"),  # a ratio?
        ("sales", "last revenue by region"),
        ("costs", "growth of cost per month"),
        ("costs", "cost per service team"),
        ("costs", "is cost by service wrong?"),
        ("costs", "predict the cost per month"),
        ("loads", "load per month"),  # no dates
        ("loads", "why is load unusual?"),
        ("loads", "load by hour"),
        ("people", "how many rows per year?"),  # of which date?
        ("people", "average age"),
        ("years", "total cost center by team"),
        ("years", "total 2025 and 2026"),
        ("years", "2026 minus 2025 by team"),
        ("years", "difference of 2025 by team"),
    ],
)
def test_a_question_that_may_mean_something_else_is_not_answered(name: str, question: str) -> None:
    assert ask(question, TABLES[name]) is None


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_every_table_has_questions_to_offer(text: str) -> None:
    assert len(offered(read_table(text))) >= 3


CELLS = st.sampled_from(
    ["", "1", "-2.5", "2026-01-05", "x", '"', "9" * 39, "1.1.0001", "\0", "é", "a", "%", "by",
     "total", "month", "top", "rows", "value", "a b", "many", "2025"]
)  # fmt: skip
CSVS = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=8).map("\n".join)


@given(text=st.text() | CSVS)
@example(text="a\n2026-01-05\n")
@example(text="month,cost\n2026-01-05,1\n")
def test_every_offered_question_is_understood_and_answered(text: str) -> None:
    try:
        table = read_table(text)
    except UnreadableTable:
        return
    for question in offered(table):
        assert understand(question.text, table) == question
        json.dumps(answer_to(question, table), allow_nan=False)


@given(st.sampled_from(sorted(TABLES.values())), st.text(max_size=60))
def test_no_message_crashes_it(text: str, message: str) -> None:
    understand(message, read_table(text))


@given(
    st.sampled_from(sorted(TABLES.values())),
    st.sampled_from(["not", "without", "x", "above", "-", "<", "last", "and", "99", "zwölf"]),
    st.data(),
)
def test_an_unknown_word_anywhere_makes_it_unsure(
    text: str, word: str, data: st.DataObject
) -> None:
    table = read_table(text)
    words = data.draw(st.sampled_from([each.text for each in offered(table)])).split()
    words.insert(data.draw(st.integers(0, len(words))), word)
    assert understand(" ".join(words), table) is None
