"""A table in the text of a message is found, and prose and code are none."""

from __future__ import annotations

import pytest
from csv_analyst import unwrap
from csv_pasted import split_pasted
from csv_tables import read_table
from hypothesis import example, given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "table",
    [
        "service,cost\nA,1\nB,2",
        "service, cost\nA, 3\nB, 4",
        "service;cost\nA;3\nB;4",
        "service\tteam\nA\tred\nB\tblue",
        "name,team\nann,red\nbob,blue",
        'name,cost\n"two\nlines",3\nB,4',
        "name,cost\nA,1\nB\nC,3\nD,4",
        "| a | b |\n|---|---|\n| x | 2 |",
    ],
)
@pytest.mark.parametrize("question", ["", "What is the total cost, please?", "Hello,\ntotal cost"])
def test_a_table_under_a_question_is_found(question: str, table: str) -> None:
    asked, found = split_pasted(f"{question}\n\n{table}" if question else table)
    assert asked == " ".join(question.split())
    assert found is not None
    assert found.strip() == table


def test_a_question_under_the_table_is_found() -> None:
    assert split_pasted("name,team\nann,red\nbob,blue\n\nhow many per team?") == (
        "how many per team?",
        "name,team\nann,red\nbob,blue\n\n",
    )


@pytest.mark.parametrize("text", ["price\n12\n15\n20", "What is their average?\nprice\n12\n15\n20"])
def test_one_column_of_numbers_is_a_table(text: str) -> None:
    _, found = split_pasted(text)
    assert found is not None
    assert read_table(found).names == ["price"]


@pytest.mark.parametrize(
    "text",
    [
        "total cost by service",
        "Hello, I am\nhere, please\nhelp",
        "which is it: a,b\nor c,d",
        '{"a": 1,\n "b": 2,\n "c": 3}',
        '[\n  {"a": 1, "b": 2},\n  {"a": 3, "b": 4}\n]',
        "def f(a, b):\n    return a, b\nx = f(1, 2)",
        "",
        "\n\n",
    ],
)
def test_prose_and_code_are_no_table(text: str) -> None:
    assert split_pasted(text) == (" ".join(text.split()), None)


def test_a_table_that_is_attached_is_the_one() -> None:
    attached = {"name": "t", "csv": "a,b\n1,2\n"}
    said = {"text": "total\na,b\n5,6", "table": attached}
    assert unwrap(said) == ("total\na,b\n5,6", attached)


WORDS = st.text("abcdefgh", min_size=1, max_size=5)


@given(
    st.lists(WORDS, max_size=6).map(" ".join),
    st.lists(st.tuples(WORDS, st.integers()), min_size=1, max_size=9),
    st.sampled_from([",", ";", "\t", "|", ", "]),
)
def test_any_question_over_any_table_is_told_from_it(
    question: str, body: list[tuple[str, int]], mark: str
) -> None:
    table = "\n".join([f"name{mark}cost", *(f"{name}{mark}{cost}" for name, cost in body)])
    assert split_pasted(f"{question}\n{table}") == (question, table)


@given(st.text('ab,;|\t\n\r"1 -{', max_size=60) | st.text())
@example(",\n,")
def test_no_text_crashes_it(text: str) -> None:
    split_pasted(text)
