from __future__ import annotations

import logging

import pytest

from greenroom.actors.exit import crashed
from greenroom.supervisor import ChildSpec, CrashLog, CrashReport, Shutdown
from greenroom.supervisor.errors import InvalidChildSpec
from tests.supervisor.stage import Crash, Stage


def record(log: CrashLog, child: str) -> CrashReport:
    return log.record("root", child, crashed(Crash(child)))


def test_the_log_keeps_the_last_reports_and_numbers_them_all() -> None:
    log = CrashLog(capacity=2)
    for child in "abc":
        record(log, child)
    assert [(report.number, report.child) for report in log.reports()] == [(2, "b"), (3, "c")]


def test_reports_are_dated_by_the_clock_that_was_given() -> None:
    assert record(CrashLog(clock=lambda: 12.5), "a").at == 12.5


def test_a_hook_that_fails_is_logged_and_spoils_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def bad_hook(_: CrashReport) -> None:
        raise RuntimeError("hook")

    log = CrashLog(on_crash=bad_hook)
    with caplog.at_level(logging.ERROR, "greenroom.supervisor"):
        record(log, "a")
    assert len(log.reports()) == 1
    assert "on_crash failed" in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    "wrong", [{"id": ""}, {"start": None}, {"shutdown": 0}, {"shutdown": -1.0}]
)
def test_a_spec_that_makes_no_sense_is_refused(wrong: dict[str, object], stage: Stage) -> None:
    right = {"id": "a", "start": stage.spec("a").start}
    with pytest.raises(InvalidChildSpec):
        ChildSpec(**{**right, **wrong})  # type: ignore[arg-type]  # parametrised by field


def test_shutdown_times_are_seconds_with_two_words_for_the_extremes(stage: Stage) -> None:
    times = [Shutdown.BRUTAL_KILL, 2.5, Shutdown.INFINITY]
    assert [0.0, 2.5, float("inf")] == [stage.spec("a", shutdown=time).grace for time in times]
