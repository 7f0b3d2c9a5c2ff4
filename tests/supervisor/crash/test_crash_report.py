from __future__ import annotations

import logging

import pytest

from greenroom.actors.exit import crashed
from greenroom.supervisor import CrashLog, CrashReport
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
