"""Crash reports: the log that keeps them, and their headline, live and saved."""

from __future__ import annotations

import logging

import orjson
import pytest

from greenroom.actors.exit import crashed
from greenroom.supervisor import CrashLog, CrashReport
from greenroom.supervisor.errors import RestartIntensityExceeded
from greenroom.supervisor.inspection.as_json import dump_crash, load_crash
from tests.supervisor.stage import Crash


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


class BudgetSpent(RestartIntensityExceeded):
    """As a program may derive it, to say more."""


def gave_up(kind: type[RestartIntensityExceeded]) -> CrashReport:
    log = CrashLog()
    return log.record("root", "inner", crashed(kind("root/inner", "0 in 5 s", [record(log, "a")])))


@pytest.mark.parametrize("kind", [RestartIntensityExceeded, BudgetSpent])
def test_a_saved_report_has_the_headline_of_the_live_one(
    kind: type[RestartIntensityExceeded],
) -> None:
    live = gave_up(kind)
    saved = load_crash(dump_crash(live))
    assert live.gave_up
    assert saved.gave_up
    assert "a: crashed: Crash" in str(live)
    assert str(live) == str(saved) == str(live.without_live_error())


def test_a_report_saved_before_it_said_so_still_has_the_headline_of_a_supervisor_that_gave_up() -> (
    None
):
    live = gave_up(RestartIntensityExceeded)
    form = orjson.loads(dump_crash(live))
    del form["crash"]["gave_up"]
    assert str(load_crash(orjson.dumps(form))) == str(live)


def test_other_ends_are_no_giving_up() -> None:
    assert not record(CrashLog(), "a").gave_up
