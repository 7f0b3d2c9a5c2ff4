"""The demo agent reads a table in one way only, or says what it could not read."""

from __future__ import annotations

import base64
import contextlib
import gzip
from datetime import date

import pytest
from csv_answers import number_text
from csv_tables import (
    MAX_BYTES,
    Table,
    UnreadableTable,
    load_table,
    read_table,
    to_date,
    to_number,
    unpack,
)
from hypothesis import given
from hypothesis import strategies as st

SALES = """\
Date,Region,Units,Revenue
2026-01-05,North,2,"€1,200.00"
2026-01-20,South,4,€400.00
2026-02-03,North,6,€600.00
"""


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12), ("1,234.50", 1234.5), ("1,234", 1234), ("€12", 12), ("12 €", 12),
        ("-$3.50", -3.5), ("12%", 12), ("−7", -7), ("0.5", 0.5),
        ("", None), ("abc", None), ("12a", None), ("nan", None), ("1e999", None), ("--4", None),
        ("1.234,50", None), ("1,5", None), ("007", None), ("1" * 16, None),
        ("1.2.3", None), ("2026-01-05", None), ("٣", 3),
    ],
)  # fmt: skip
def test_a_number_is_read_only_if_it_can_be_read_in_one_way(cell: str, value: float | None) -> None:
    assert value == to_number(cell)


def test_a_date_is_read_only_in_a_form_that_names_one_day() -> None:
    assert date(2026, 2, 3) == to_date("%Y-%m-%d", "2026-02-03T10:11:12Z")
    assert to_date("%d.%m.%Y", "31.02.2026") is None
    assert read_table("when,n\n3/4/2026,1\n").columns[0].kind == "text"


def kinds(table: Table) -> dict[str, str]:
    return {column.name: column.kind for column in table.columns}


def test_columns_get_their_kind_and_unit() -> None:
    table = read_table(SALES)
    expected = {"Date": "date", "Region": "text", "Units": "number", "Revenue": "number"}
    assert expected == kinds(table)
    assert (table.columns[3].unit, table.rows) == ("€", 3)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    table = read_table(f"a{delimiter}b\nx{delimiter}1\ny{delimiter}2\n")
    assert kinds(table) == {"a": "text", "b": "number"}


def test_a_table_without_a_header_has_numbered_columns_and_a_note() -> None:
    table = read_table("North,1\nSouth,2\n")
    assert list(kinds(table)) == ["column 1", "column 2"]
    assert len(table.notes) == 1


def test_years_may_be_names_of_columns() -> None:
    assert list(kinds(read_table("team,2025,2026\na,1,2\n"))) == ["team", "2025", "2026"]


def test_ragged_rows_are_filled_up_and_counted() -> None:
    table = read_table("a,b\n1,2\n3\n4,5,6\n")
    assert list(kinds(table)) == ["a", "b", "column 3"]
    assert list(table.columns[1].values) == [2.0, None, 5.0]
    assert len(table.notes) == 1


@pytest.mark.parametrize(
    ("text", "noted"),
    [("item,price\n" + "a,1\n" * 18 + "c,12 kg\n", "12 kg"), ("a,price\nx,€1\ny,$2\n", "mixes")],
)
def test_a_column_whose_cells_do_not_all_count_has_a_note(text: str, noted: str) -> None:
    (note,) = read_table(text).columns[1].notes
    assert noted in note


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "empty"), ("\n \n", "empty"), ("name,age\n", "no rows"), ("a\n" * 200_002, "rows")],
)
def test_what_is_no_table_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(UnreadableTable, match=why):
        read_table(text)


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data)).decode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_gzipped_table_is_unpacked(encoding: str) -> None:
    table = load_table({"gzip": packed("Größe,n\nklein,1\n".encode(encoding))})
    assert list(kinds(table)) == ["Größe", "n"]


def test_a_gzip_bomb_stops_at_the_limit() -> None:
    with pytest.raises(UnreadableTable, match="8 MiB"):
        unpack(packed(b"a,b\n" * (MAX_BYTES // 4 + 1)))


@pytest.mark.parametrize("damaged", ["%%%", "aGVsbG8=", packed(b"a,b\n1,2\n" * 99)[:40], "é"])
def test_a_damaged_table_is_refused_in_words(damaged: str) -> None:
    with pytest.raises(UnreadableTable, match="on the way"):
        load_table({"gzip": damaged})


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234.5, "", "1,234.50"), (-3, "€", "-€3"), (12, "%", "12%"), (0, "", "0"),
        (0.0004, "", "0.0004"), (0.1 + 0.2, "", "0.30"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(value: float, unit: str, text: str) -> None:
    assert text == number_text(value, unit)


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
