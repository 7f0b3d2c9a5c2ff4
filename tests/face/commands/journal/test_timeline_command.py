"""`greenroom timeline` as its users run it: at rest, beside a server, in a terminal."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from greenroom.commands.output.pace import paced
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.history.timeline import EventReports, timeline
from tests.delivery.history.run_story import Afternoon, Author, write
from tests.face.audience import serving_alice, told_until
from tests.face.cli import Result, command, greenroom, on_a_terminal, running


@pytest.fixture
def afternoon(tmp_path: Path) -> Afternoon:
    afternoon = Afternoon()
    write(tmp_path / "greenroom.db", *afternoon.entries)
    return afternoon


@pytest.fixture
def timeline_of(tmp_path: Path) -> Callable[..., Result]:
    return partial(greenroom, "timeline", cwd=tmp_path)


@pytest.mark.requirement("R38")
def test_beside_a_running_server_it_tells_what_its_user_saw(tmp_path: Path) -> None:
    with serving_alice(tmp_path) as run:
        told = told_until(all_was_displayed, "timeline", run, cwd=tmp_path)
    kinds = [(moment["depth"], moment["event"]["kind"]) for moment in told["moments"]]
    assert kinds == [
        (0, "user_said"),
        (0, "agent_started"),
        (0, "tool_executing"),
        (0, "tool_completed"),
        (1, "agent_started"),
        (1, "agent_thinking"),
        (1, "agent_completed"),
        (0, "final_report"),
        (0, "agent_completed"),
    ]
    assert all(moment["since"] >= 0 for moment in told["moments"])
    (seen,) = told["moments"][7]["sessions"]
    assert (seen["stage"], seen["verdict"]) == ("confirmed", "good")
    assert seen["received_by"] <= seen["displayed_at"] <= seen["confirmed_at"]


def all_was_displayed(told: dict) -> bool:
    return {moment["stage"] for moment in told["moments"]} == {"displayed", "confirmed"}


@pytest.mark.requirement("R38")
def test_the_table_shows_every_event_and_who_saw_it(
    afternoon: Afternoon, timeline_of: Callable[..., Result]
) -> None:
    result = timeline_of(afternoon.run[-8:])
    assert (result.code, result.err) == (0, "")
    said = " ".join(result.out.split())
    assert said.startswith(f"{afternoon.run} analyst for alice, in thread_")
    assert "ok after 3.020 s, 10 events" in said
    assert "1.750 tool_completed get_costs after 1.249 s: " in said
    assert f"{afternoon.phone[-8:]} displayed 2.180" in said
    assert f"{afternoon.laptop[-8:]} displayed 3.110, confirmed 8.800: good, at last" in said
    assert "dead_lettered 167:59:59.000: sent 3 times, not" in said
    assert "  agent_started    scout" in result.out  # a sub-run stands further in


def test_a_played_back_run_prints_what_the_table_has(
    afternoon: Afternoon, timeline_of: Callable[..., Result]
) -> None:
    still = timeline_of(afternoon.run)
    played = timeline_of(afternoon.run, "--replay", "--speed", "1e6")
    assert played == still


class Clock:
    """A clock that goes on while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.requirement("R38")
def test_it_plays_back_at_the_recorded_pace_times_the_speed(afternoon: Afternoon) -> None:
    story = timeline(afternoon.run, afternoon.records, EventReports())
    clock, ticks = Clock(), []

    def played() -> Iterator[tuple[float, int]]:
        playing = paced(
            story.moments, 2, tick=ticks.append, sleep=clock.sleep, clock=lambda: clock.now
        )
        for moment in playing:
            yield clock.now - 100, moment.since

    told = list(played())
    assert [at for at, _ in told] == pytest.approx([since / 2_000 for _, since in told])
    assert ticks == pytest.approx(sorted(ticks))
    assert len(ticks) > len(told)


def test_ctrl_c_while_it_plays_is_quiet(tmp_path: Path) -> None:
    author = Author()
    run = author.run()
    author.tell(0, run, Kind.AGENT_STARTED, agent="a")
    author.tell(3_600_000, run, Kind.AGENT_COMPLETED, outcome="ok")
    write(tmp_path / "greenroom.db", *author.records)
    with running("timeline", run, "--replay", cwd=tmp_path) as playing:
        while "agent_started" not in playing.line():
            pass
        assert playing.interrupt(signal.SIGINT) == Result(130, "", "")


def test_a_terminal_gets_a_bar_below_the_lines(afternoon: Afternoon, tmp_path: Path) -> None:
    shown = on_a_terminal(command(["timeline", afternoon.run, "--speed", "10"]), cwd=tmp_path)
    assert b"of 3.020 s, speed 10" in shown
    assert b"agent_thinking" in shown


def test_a_narrow_terminal_shows_everything_below_each_other(
    afternoon: Afternoon, tmp_path: Path
) -> None:
    shown = on_a_terminal(command(["timeline", afternoon.run]), cwd=tmp_path, COLUMNS="60")
    plain = re.sub(rb"\x1b\[[\d;]*m", b"", shown).decode()
    lines = [line.strip() for line in plain.splitlines()]
    assert max(map(len, plain.splitlines())) <= 60
    for line in ("1.750  tool_completed get_costs after 1.249 s:", "b3xvxt3y displayed 2.180"):
        assert line in lines


MISUSES = {
    "unknown": (["zzzz"], 1, "begins or ends with 'zzzz'"),
    "a thread": (["thread_01h455vb4pex5vsknk084sn02q"], 2, "expected a run id, got thread"),
    "no run": ([], 2, "RUN"),
    "speed": (["zzzz", "--speed", "0"], 2, "--speed"),
    "json played": (["zzzz", "--json", "--replay"], 2, "cannot be played back"),
    "no journal": (["zzzz", "--journal", "no.db"], 2, "there is no journal at no.db"),
    "in memory": (["zzzz", "--journal", ":memory:"], 2, "must be a file, not :memory:"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), MISUSES.values(), ids=MISUSES)
def test_what_cannot_be_told_is_one_line(
    arguments: list[str],
    code: int,
    said: str,
    afternoon: Afternoon,
    timeline_of: Callable[..., Result],
) -> None:
    result = timeline_of(*arguments)
    assert said in result.err.splitlines()[0]
    assert (result.code, result.out) == (code, "")
    assert "Traceback" not in result.err


def test_what_a_client_put_into_an_event_does_not_write_to_the_terminal(
    tmp_path: Path, timeline_of: Callable[..., Result]
) -> None:
    author = Author()
    run = author.run()
    author.tell(0, run, Kind.USER_SAID, body="\x1b[2Jhello\N{RIGHT-TO-LEFT OVERRIDE}", say="1")
    write(tmp_path / "greenroom.db", *author.records)
    result = timeline_of(run)
    assert "hello" in result.out
    assert all(character.isprintable() or character == "\n" for character in result.out)


@pytest.mark.requirement("R56")
def test_a_later_attempt_of_a_run_is_shown_with_its_number(tmp_path: Path) -> None:
    author = Author()
    run = author.run()
    author.tell(0, run, Kind.AGENT_STARTED, agent="analyst")
    author.tell(9, run, Kind.AGENT_STARTED, agent="analyst", attempt=2)
    write(tmp_path / "greenroom.db", *author.records)
    shown = greenroom("timeline", run, cwd=tmp_path).out
    assert "analyst (attempt 2)" in " ".join(shown.split())
