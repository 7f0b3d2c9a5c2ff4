"""The demo agent's knowledge of tables, against answers worked out by hand."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from datetime import date, timedelta
from typing import Any  # a report is plain JSON

import pytest
from csv_cells import number_text, to_date, to_number
from csv_findings import aggregate, profile_columns
from csv_outliers import find_outliers
from csv_questions import Plan, interpret
from csv_tables import MAX_BYTES, Table, UnreadableTable, load_table, read_table, unpack
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


def ask(question: str, text: str = SALES) -> dict[str, Any]:
    table = read_table(text)
    plan = interpret(question, table)
    work = {"profile": lambda t, _: profile_columns(t), "outliers": find_outliers}
    return work.get(plan.task, aggregate)(table, plan).report()


def rows(question: str, text: str = SALES) -> list[list[Any]]:
    found: list[list[Any]] = ask(question, text)["table"]["rows"]
    return found


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12), ("1,234.50", 1234.5), ("1.234,50", 1234.5), ("1,234", 1234), ("0,5", 0.5),
        ("€12", 12), ("12 €", 12), ("-$3.50", -3.5), ("$-3.50", -3.5), ("12%", 12), ("(45)", -45),
        ("1 234 567", 1234567), ("1'234.5", 1234.5), ("USD 5", 5), ("−7", -7), ("1e3", 1000),
        (".5", 0.5), ("1.234.567", 1234567),
        ("", None), ("abc", None), ("12a", None), ("nan", None), ("1e999", None), ("(4", None),
        ("--4", None), ("1-2", None), ("2026-01-05", None), ("1.2.3", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(cell: str, value: float | None) -> None:
    assert value == to_number(cell)


def test_dates_are_read_in_the_form_asked_for() -> None:
    assert date(2026, 2, 3) == to_date("2026-02-03T10:11:12Z", "%Y-%m-%d")
    assert date(2026, 2, 3) == to_date("03.02.2026", "%d.%m.%Y")
    assert to_date("31.02.2026", "%d.%m.%Y") is None


def kinds(table: Table) -> dict[str, str]:
    return {column.name: column.kind for column in table.columns}


def test_columns_get_their_kind_and_unit() -> None:
    table = read_table(SALES)
    expected = {
        "Date": "date",
        "Region": "text",
        "Product": "text",
        "Units": "number",
        "Revenue": "number",
    }
    assert expected == kinds(table)
    assert table.columns[4].unit == "€"
    assert table.rows == 6


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    table = read_table(f"a{delimiter}b\nx{delimiter}1\ny{delimiter}2\n")
    assert kinds(table) == {"a": "text", "b": "number"}


def test_decimal_commas_with_semicolons_are_numbers() -> None:
    table = read_table("name;price\nx;1.234,50\ny;0,99\n")
    assert list(table.columns[1].values) == [1234.5, 0.99]


def test_a_day_that_cannot_be_a_month_decides_how_dates_are_read() -> None:
    table = read_table("when,n\n13/02/2026,1\n03/04/2026,2\n")
    assert [date(2026, 2, 13), date(2026, 4, 3)] == list(table.columns[0].values)


def test_a_table_without_header_numbers_its_columns_and_says_so() -> None:
    table = read_table("North,1\nSouth,2\n")
    assert table.names == ["column 1", "column 2"]
    assert "The table has no header, so its columns are numbered." in table.notes


def test_years_may_be_names_of_columns() -> None:
    assert read_table("team,2025,2026\na,1,2\n").names == ["team", "2025", "2026"]


def test_ragged_rows_are_evened_out_and_counted() -> None:
    table = read_table("a,b\n1,2\n3\n4,5,6\n")
    assert table.names == ["a", "b", "column 3"]
    assert list(table.columns[1].values) == [2.0, None, 5.0]
    assert "2 rows had missing or extra cells." in table.notes


def test_cells_that_do_not_count_are_told() -> None:
    text = "item,price\n" + "a,1\n" * 18 + "b,n/a\nc,12 kg 9999\n"
    assert read_table(text).notes == (
        "1 cell of price counted as empty, being no number: “12 kg 9999”.",
    )


def test_columns_that_are_mostly_numbers_and_still_text_are_told() -> None:
    assert read_table("item,price\na,1\nb,2\nc,3 kg\n").notes == (
        "price is read as text: only 2 of 3 cells are numbers.",
    )


def test_mixed_currencies_are_told() -> None:
    notes = read_table("item,price\na,€1\nb,$2\n").notes
    assert notes == ("price mixes $ and €; I take its numbers as they stand.",)


def test_columns_beyond_the_most_are_told() -> None:
    row = ",".join(f"c{n}" for n in range(150))
    table = read_table(f"{row}\n{row}\n")
    assert len(table.columns) == 100
    assert table.notes == ("Only the first 100 of 150 columns were read.",)


@pytest.mark.parametrize("mark", ["sep=;\n", '"sep=;"\r\n', "SEP=;\n"])
def test_the_delimiter_may_be_told_as_excel_does(mark: str) -> None:
    table = read_table(f"{mark}a;b\nx, y;1\n")
    assert table.names == ["a", "b"]
    assert table.notes == ()


@pytest.mark.parametrize(
    "title", ["Costs of 2026", "Costs of 2026,", '"Costs of 2026"\n\nAll teams']
)
def test_titles_above_the_header_are_skipped_and_told(title: str) -> None:
    table = read_table(f"{title}\n\nteam,cost\nNorth,1\nSouth,2\n")
    assert kinds(table) == {"team": "text", "cost": "number"}
    assert table.notes[0] == "I skipped “Costs of 2026” above the header."


def test_a_markdown_table_is_a_table() -> None:
    table = read_table("| team | cost |\n|:---|---:|\n| North | 1 |\n| South | 2 |\n")
    assert kinds(table) == {"team": "text", "cost": "number"}
    assert table.rows == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_do_anywhere(end: str) -> None:
    assert read_table(end.join(["a,b", "1,2", "3,4", ""])).rows == 2


def test_one_is_not_written_in_the_plural() -> None:
    assert str(ask("", "a,b\nx,1\n")["summary"]).startswith("1 row, 2 columns (1 text, 1 number). ")
    assert ask("total b", "a,b\nx,1\n")["summary"] == "Total b: 1, from 1 row."


def test_names_that_repeat_are_told_apart() -> None:
    assert read_table("a,a,\nx,y,z\n").names == ["a", "a (2)", "column 3"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("name,age\n", "no rows"),
        ("PK\x03\x04\0\0", "binary"),
        ('a,b\n"' + "x" * 200_000, "too long"),
    ],
)
def test_what_is_no_table_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(UnreadableTable, match=why):
        read_table(text)


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data)).decode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_gzipped_table_is_unpacked_whatever_its_encoding(encoding: str) -> None:
    table = load_table({"gzip": packed("Größe,n\nklein,1\n".encode(encoding))})
    assert table.names == ["Größe", "n"]


def test_a_gzip_bomb_stops_at_the_limit() -> None:
    with pytest.raises(UnreadableTable, match="8 MiB"):
        unpack(packed(b"a,b\n" * (MAX_BYTES // 4 + 1)))


@pytest.mark.parametrize("damaged", ["%%%", "aGVsbG8=", packed(b"a,b\n1,2\n" * 99)[:40], "é"])
def test_a_damaged_table_is_refused_in_words(damaged: str) -> None:
    with pytest.raises(UnreadableTable, match="on the way"):
        load_table({"gzip": damaged})


def test_total_by_a_category() -> None:
    assert rows("What is the total revenue by region?") == [
        ["North", 3600, 3],
        ["South", 1000, 2],
        ["West", 250, 1],
    ]


def test_average_by_a_category() -> None:
    assert rows("average revenue per product") == [
        ["Desk", 1200, 3],
        ["Chair", 500, 2],
        ["Lamp", 250, 1],
    ]


def test_how_many_counts_rows() -> None:
    assert rows("how many sales per region?") == [["North", 3], ["South", 2], ["West", 1]]


def test_top_n_keeps_n() -> None:
    assert sorted(rows("top 2 products by units"), key=lambda row: row[2]) == [
        ["Lamp", 10, 1],
        ["Chair", 10, 2],
    ]


def test_which_has_the_least_ranks_from_below() -> None:
    assert rows("Which region has the lowest revenue?")[0] == ["West", 250, 1]


def test_a_trend_follows_the_months_in_order() -> None:
    report = ask("revenue trend")
    assert report["table"]["rows"] == [
        ["2026-01", 1600, 2],
        ["2026-02", 1200, 2],
        ["2026-03", 2050, 2],
    ]
    assert report["chart"]["type"] == "line"
    assert "from €1,600 in 2026-01 to €2,050 in 2026-03 (+28%)" in str(report["summary"])


def test_named_values_keep_only_their_rows() -> None:
    assert rows("compare revenue of North and South") == [["North", 3600, 3], ["South", 1000, 2]]


def test_a_total_without_a_group_is_one_number_and_no_chart() -> None:
    report = ask("total revenue")
    assert report["summary"] == "Total Revenue: €4,850, from 6 rows."
    assert "chart" not in report


@pytest.mark.parametrize("typo", ["total revenu by regoin", "TOTAL REVENUES BY REGIONS"])
def test_names_match_roughly(typo: str) -> None:
    assert rows(typo)[0] == ["North", 3600, 3]


def test_an_outlier_is_found_by_its_distance_from_the_median() -> None:
    text = "day,load\n" + "".join(f"d{i},{10 + i % 3}\n" for i in range(12)) + "d12,95\n"
    assert rows("anything unusual?", text) == [[13, "d12", 95, 11]]


def test_outliers_are_judged_within_their_group() -> None:
    cells = [("big", 1000 + i) for i in range(6)] + [("small", 10 + i) for i in range(6)]
    cells.append(("small", 1000))
    text = "kind,cost\n" + "".join(f"{kind},{cost}\n" for kind, cost in cells)
    assert rows("unusual cost by kind", text) == [[13, "small", 1000, 13]]


def test_alike_values_with_one_exception_are_no_division_by_zero() -> None:
    text = "n,m\n" + "x,5\n" * 20 + "y,50\n"
    assert rows("outliers", text) == [[21, "y", 50, 5]]


def test_an_unknown_question_gets_a_profile_and_what_can_be_asked() -> None:
    report = ask("tell me a joke")
    assert report["title"] == "What is in this table"
    assert "I can add up" in str(report["summary"])
    assert report["table"]["rows"][3] == ["Units", "number", 6, 6, "1", "10", "3.50"]


def test_a_trend_without_dates_says_why_there_is_none() -> None:
    assert (
        "There is no column of dates, so I left time out."
        in ask("trend", "a,b\nx,1\ny,2\n")["notes"]
    )


def test_long_tables_are_cut_and_say_so() -> None:
    text = "name,n\n" + "".join(f"n{i},{i}\n" for i in range(100))
    report = ask("total n by name", text)
    assert len(report["table"]["rows"]) == 60
    assert len(report["chart"]["x"]) == 16
    assert report["notes"] == [
        "The table shows the first 60 of 100 rows.",
        "The chart shows the first 16 of 100.",
    ]


def test_of_a_long_time_the_table_and_the_chart_show_the_same_end() -> None:
    start = date(2026, 1, 1)
    days = [str(start + timedelta(days=n)) for n in range(120)]
    report = ask("v per day", "day,v\n" + "".join(f"{day},1\n" for day in days))
    assert [row[0] for row in report["table"]["rows"]] == report["chart"]["x"] == days[-60:]
    assert report["notes"] == [
        "The table shows the last 60 of 120 rows.",
        "The chart shows the last 60 of 120.",
    ]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234.5, "", "1,234.50"), (-3, "€", "-€3"), (12, "%", "12%"), (0.5, "€", "€0.50"),
        (0, "", "0"), (0.0004, "", "0.0004"), (0.00183333, "$", "$0.00183"), (-0.126, "", "-0.126"),
        (0.1 + 0.2, "", "0.30"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(value: float, unit: str, text: str) -> None:
    assert text == number_text(value, unit)


@given(st.floats(min_value=1e-9, max_value=1))
def test_no_number_is_written_as_nothing(value: float) -> None:
    assert float(number_text(value)) == pytest.approx(value, rel=0.006)


ASKED = """
total by a;top 3 a;trend per month;outliers by a;average;how many;b;without x;in 2026;above 1;
between 0 and 2e9;how many a;median per quarter;highest b;since may;except x or q1 2026;
not under 5k;from 2026-01 to 2025-02;
"""
QUESTIONS = st.sampled_from(ASKED.split(";")) | st.text(max_size=60)
CELLS = st.sampled_from(
    ["", "1", "-2.5", "2026-01-05", "x", '"', "1e308", "9" * 39, "1.1.0001", "\0", "é", "a", "%"]
)
CSVS = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=8).map("\n".join)


@given(text=st.text() | CSVS, question=QUESTIONS)
@example(text="a,b\n1e308,1e308\n1e308,1\n", question="total by a")
@example(text="a\n2026-01-05\n", question="trend per month")
def test_no_text_and_no_question_crash_it(text: str, question: str) -> None:
    try:
        table = read_table(text)
    except UnreadableTable:
        return
    plan = interpret(question, table)
    assert isinstance(plan, Plan)
    json.dumps(plan.arguments() | {"thought": plan.thought(question)}, allow_nan=False)
    for finding in (profile_columns(table), aggregate(table, plan), find_outliers(table, plan)):
        json.dumps(finding.report(), allow_nan=False)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.dictionaries(st.sampled_from(["csv", "gzip", "name"]), inner),
    )
)
def test_no_attachment_crashes_it(attached: object) -> None:
    if isinstance(attached, dict):
        with contextlib.suppress(UnreadableTable):
            load_table(attached)
