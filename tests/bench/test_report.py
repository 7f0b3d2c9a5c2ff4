"""The page of the measurements says what was measured, and how to measure it again."""

from __future__ import annotations

import json
import re
import runpy
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report import files
from reporting.chart import LINE, chart
from reporting.page import page, tables_of
from reporting.runs import PROMISES, RUNS, Promise
from side_by_side.table import Table

DOCS = Path(__file__).parents[2] / "docs"
DATA = json.loads((DOCS / "performance.json").read_text("utf-8"))
NOTHING = {"environment": {}, "runs": {}}
LONE = PROMISES[0]  # at most so many times the peer's
RATE = next(each for each in PROMISES if each.at_least)
IDLE = next(each for each in PROMISES if each.absolute)


def test_page_and_chart_are_what_the_data_give() -> None:
    for name, text in files(DATA).items():
        assert (DOCS / name).read_text("utf-8") == text, "stale: python bench/report.py --page"


@pytest.mark.parametrize("name", RUNS)
def test_every_command_of_the_page_exists_and_takes_its_options(name: str) -> None:
    run = RUNS[name]
    if not run.script.exists():
        assert name not in DATA["runs"] or "missing" in DATA["runs"][name]["failure"]
    elif options := run.arguments[1:]:
        runpy.run_path(str(run.script))["arguments"]().parse_args(options)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda each: each.figure)
def test_every_figure_is_found_where_its_command_put_it(promise: Promise) -> None:
    tables = tables_of(DATA, promise.run)
    assert not tables or promise.measured(tables)


def data_of(promise: Promise, own: list[float], other: list[float]) -> dict[str, object]:
    figures: dict[str, dict[str, list[float]]] = {}
    for cell, values in [(promise.of, own), (promise.against, other)]:
        figures.setdefault(cell.subject, {})[cell.column] = values
    tables = [{"title": "so many users", "base": promise.against.subject, "figures": figures}]
    run = {"date": "2026-01-01", "failure": "", "output": "", "tables": tables}
    return {"environment": {}, "runs": {promise.run: run}}


def row_of(promise: Promise, data: dict[str, object]) -> str:
    (row,) = re.findall(rf"^\| {re.escape(promise.figure)} \| (.*)$", page(data), re.MULTILINE)
    return str(row)


@pytest.mark.parametrize(
    ("promise", "own", "other", "words"),
    [
        (LONE, [30.0], [30.0], "30 | 30 | **1** | ≤ 2: met | ≤ 1.4: met |"),
        (LONE, [51.0], [30.0], "51 | 30 | **1.70** | ≤ 2: met | ≤ 1.4: **not met** |"),
        (LONE, [90.0], [30.0], "90 | 30 | **3** | ≤ 2: **not met** | ≤ 1.4: **not met** |"),
        (RATE, [700.0], [10_000.0], "| **0.07** | ≥ 0.05: met | ≥ 0.08: **not met** |"),
        (IDLE, [36.0], [9.0], "36 | 9 | **4** | ≤ 40: met | ≤ 32: **not met** |"),
        (LONE, [30.0, 99.0, 31.0], [20.0, 10.0, 62.0], "31 | 20 | **1.55** |"),
    ],
)
def test_a_row_says_whether_floor_and_aim_are_met(
    promise: Promise, own: list[float], other: list[float], words: str
) -> None:
    assert words in row_of(promise, data_of(promise, own, other))


def test_what_was_not_measured_is_said_to_be_missing() -> None:
    assert row_of(LONE, NOTHING).startswith("missing | – | – | ≤ 2 | ≤ 1.4 |")
    assert "`python bench/delivery.py` has not been run." in page(NOTHING)


def test_a_peer_that_is_not_installed_is_listed_with_what_it_needs() -> None:
    data = data_of(LONE, [1.0], [1.0])
    data["runs"]["lone"]["tables"][0]["absent"] = {"Starlette": "missing: needs uvicorn"}  # type: ignore[index]
    assert "| Starlette | missing: needs uvicorn |" in page(data)


def test_a_chart_names_every_line_and_no_name_hides_another() -> None:
    table = Table("", "")
    for number in range(5):
        table.add(f"server <{number}>", {"1": 10.0, "1,000": 10.0 + number / 10})
    drawn = ElementTree.fromstring(chart(table, "µs & more", "connections"))
    texts = [
        (each.text or "", float(each.attrib["y"])) for each in drawn.iter() if "y" in each.attrib
    ]
    names = sorted(y for text, y in texts if text.startswith("server"))
    assert len(names) == 5
    assert all(after - before >= LINE for before, after in pairwise(names))
    assert Counter(text for text, _ in texts)["1,000"] == 1
