"""Twelve questions in odd words against five tables with traps: a right answer or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any  # a report is plain JSON

import pytest
from csv_answers import answer_to
from csv_questions import understand
from csv_tables import read_table

ORDERS = """\
order,customer,amount,ordered
10000001,Ann,5.50,2026-01-03
10000002,Bob,7,2026-01-09
10000001,Cem,1,
"""
STAFF = """\
name,team,salary,start date,end date
Ann,A,100,2020-01-01,2021-01-01
Bob,B,200,2020-02-01,2022-01-01
Cem,A,n/a,2020-03-01,2022-01-01
"""
SENSORS = "sensor,reading,average reading\nnorth,1,7\nsouth,2,7\n"
STOCK = "item,code,units,price,price per unit\nnut,007,10,€20,€2\nbolt,07,2,€6,€3\n"
LEDGER = "account;amount\nRent;1,200\nFood;2,300\nTotal;3,500\n"
TABLES = {"orders": ORDERS, "staff": STAFF, "sensors": SENSORS, "stock": STOCK, "ledger": LEDGER}
UNSURE = None
QUESTIONS: dict[str, dict[str, list[list[Any]]]] = {  # the rows of the answer; else it is unsure
    "who spent the most?": {},
    "please tell me the total amount by order": {
        "orders": [["10000002", 7, 1], ["10000001", 6.5, 2]]
    },
    "AMOUNT PER ORDER": {},  # a ratio?
    "what is the mean salary of each team??": {"staff": [["B", 200, 1], ["A", 100, 1]]},
    "average reading by sensor": {},  # the average of one column, or the other column?
    "salary without Bob by team": {},
    "how many rows do we have per month": {"orders": [["2026-01", 2, 2]]},
    "price by code": {"stock": [["007", 20, 1], ["07", 6, 1]]},
    "amount by account": {"ledger": [["Total", 3500, 1], ["Food", 2300, 1], ["Rent", 1200, 1]]},
    "units times price": {},
    "the smallest price!": {"stock": [["all rows", 6, 2]]},
    "is anything unusual?": {},  # in which column?
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_odd_question_has_the_right_answer_or_none(question: str, name: str) -> None:
    table = read_table(TABLES[name])
    asked = understand(question, table)
    rows = answer_to(asked, table)["table"]["rows"] if asked else UNSURE
    assert rows == QUESTIONS[question].get(name, UNSURE)


@pytest.mark.parametrize(
    ("name", "question", "noted"),
    [
        (
            "ledger",
            "amount by account",
            ["row, “Total”, is treated", "commas are read as thousands"],
        ),
        ("staff", "salary by team", []),
        ("stock", "price by code", []),
        ("orders", "how many rows per month", ["Left out: 1 row without a date"]),
    ],
)
def test_an_answer_says_what_may_be_otherwise(name: str, question: str, noted: list[str]) -> None:
    table = read_table(TABLES[name])
    asked = understand(question, table)
    assert asked is not None
    notes = answer_to(asked, table)["notes"]
    assert len(notes) == len(noted)
    assert all(part in note for part, note in zip(noted, notes, strict=True))


def test_texts_that_begin_alike_are_groups_of_their_own() -> None:
    table = read_table(f"page,views\n{'x' * 99}1,1\n{'x' * 99}2,2\n")
    asked = understand("views by page", table)
    assert asked is not None
    assert [row[1:] for row in answer_to(asked, table)["table"]["rows"]] == [[2, 1], [1, 1]]


def test_the_notes_of_the_columns_asked_for_are_not_crowded_out() -> None:
    header = ",".join(f"c{n}" for n in range(20))
    cells = "\n".join([",".join(["1"] * 20)] * 18 + [",".join(["odd"] * 20)])
    table = read_table(f"{header}\n{cells}\n")
    asked, described = understand("total c19", table), understand("describe", table)
    assert asked is not None
    assert described is not None
    assert [note[:13] for note in answer_to(asked, table)["notes"]] == ["1 cell of c19"]
    assert answer_to(described, table)["notes"][-1] == "There are 14 more notes like these."


def test_the_demo_agent_is_small_enough_to_be_read() -> None:
    files = list((Path(__file__).parents[2] / "examples").glob("csv_*.py"))
    assert len(files) == 4
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 600
