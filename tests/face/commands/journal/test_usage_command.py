"""`greenroom usage` as its users run it: tables, JSON, beside a server, on what is no journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.delivery.history.run_story import Afternoon, write
from tests.face.audience import serving_alice, told_until
from tests.face.cli import Result, greenroom


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write(tmp_path / "greenroom.db", *Afternoon().entries)
    return tmp_path


@pytest.fixture
def usage(here: Path) -> Callable[..., Result]:
    return partial(greenroom, "usage", cwd=here)


@pytest.mark.requirement("R38")
def test_beside_a_running_server_it_counts_what_was_done_and_seen(tmp_path: Path) -> None:
    with serving_alice(tmp_path):
        told = told_until(
            all_was_displayed, "usage", "--since", "1h", "--by", "agent", cwd=tmp_path
        )
    total = told["total"]
    assert (total["runs"], total["sub_runs"], total["active_users"]) == (2, 1, 1)
    assert (total["endings"]["ok"], total["going_on"]) == (2, 0)
    assert (total["events"], total["received"]) == (9, 9)
    assert (total["displayed"], total["confirmed"]) == (9, 1)
    assert total["verdicts"] == {"good": 1}
    (tool,) = told["tools"]
    assert (tool["tool"], tool["calls"], tool["errors"]) == ("get_costs", 1, 0)
    assert {group["agent"]: group["runs"] for group in told["groups"]} == {"agent": 1, "scout": 1}


def all_was_displayed(told: dict) -> bool:
    return told["total"]["displayed"] == 9


@pytest.mark.requirement("R38")
def test_the_overview_tells_runs_users_events_and_tools(usage: Callable[..., Result]) -> None:
    result = usage()
    assert (result.code, result.err) == (0, "")
    said = "\n".join(" ".join(line.split()) for line in result.out.splitlines())
    assert said.startswith("since the journal began\n")
    for line in (
        "active users 1",
        "runs 3, 1 of them sub-runs",
        "ended ok 3",
        "took 1.1s p50, 3.0s p95",
        "reached received 91.7%, displayed 16.7%, confirmed 8.3%",
        "verdicts good 1",
        "get_costs 1 0 1.3s 1.3s",
    ):
        assert f"\n{line}\n" in f"{said}\n"


LINES = {
    "day": ["2026-09-23 3 3 0 1 12 91.7% 16.7% 1.1s 3.0s"],
    "user": ["alice 3 3 0 12 91.7% 16.7% 1.1s 3.0s"],
    "agent": [
        "analyst 1 1 0 1 6 83.3% 16.7% 3.0s 3.0s",
        "scout 1 1 0 1 3 100.0% 33.3% 400 ms 400 ms",
        "greeter 1 1 0 1 2 100.0% 0.0% 1.1s 1.1s",
    ],
    "tool": ["get_costs 1 0 1.3s 1.3s"],
}


@pytest.mark.requirement("R38")
@pytest.mark.parametrize("by", LINES)
def test_groups_get_a_line_each(by: str, usage: Callable[..., Result]) -> None:
    heading, *lines = usage("--by", by).out.splitlines()
    assert heading.startswith(by)
    assert [" ".join(line.split()) for line in lines] == LINES[by]


def test_lines_beyond_the_limit_are_told_of(usage: Callable[..., Result]) -> None:
    result = usage("--by", "agent", "--limit", "1")
    assert result.out.splitlines()[-1].strip() == "… and 2 more: --limit, --json"


def test_what_happened_before_is_left_out(usage: Callable[..., Result]) -> None:
    result = usage("--since", "1s")
    assert result.out.startswith("nothing happened since 2")
    told = json.loads(usage("--since", "1s", "--json").out)
    assert told["until"] - told["since"] == 1_000
    assert (told["total"]["events"], told["total"]["took"]["p50_ms"]) == (0, None)


MISUSES = {
    "no age": (["--since", "soon"], 2, "--since must be an age such as 90d"),
    "a negative age": (["--since", "-5d"], 2, "--since must be an age such as 90d"),
    "no group": (["--by", "moon"], 2, "--by"),
    "no limit": (["--limit", "0"], 2, "--limit"),
    "no journal": (["--journal", "no.db"], 2, "there is no journal at no.db"),
    "no database": (["--journal", "notes.db"], 1, "notes.db"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), MISUSES.values(), ids=MISUSES)
def test_what_cannot_be_counted_is_one_line(
    arguments: list[str], code: int, said: str, here: Path, usage: Callable[..., Result]
) -> None:
    (here / "notes.db").write_text("no database at all" * 99)
    result = usage(*arguments)
    assert said in result.err.splitlines()[0]
    assert (result.code, result.out) == (code, "")
    assert "Traceback" not in result.err
