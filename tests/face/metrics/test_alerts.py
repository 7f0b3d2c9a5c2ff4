"""The alert rules: Prometheus takes them, each fires when it should, and they name what exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from greenroom.delivery.outbox.redelivery import Circuit, Redelivery, Retry
from greenroom.metrics.table import METRICS
from greenroom.settings import Settings
from greenroom.transport.client.line import LONGEST_BACKOFF

DOCS = Path(__file__).parents[3] / "docs"
RULES = (DOCS / "alerts.yml").read_text(encoding="utf-8")
RUNBOOK = (DOCS / "operations-metrics.md").read_text(encoding="utf-8")
ALERTS = re.findall(r"- alert: (\w+)", RULES)

pytestmark = [pytest.mark.requirement("R10"), pytest.mark.requirement("R21")]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool")
    return subprocess.run([program, *arguments], cwd=DOCS, capture_output=True, text=True)


def test_prometheus_accepts_the_rules() -> None:
    checked = promtool("check", "rules", "alerts.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_every_rule_fires_when_its_thing_happens_and_none_on_a_healthy_server() -> None:
    tried = promtool("test", "rules", "alerts.test.yml")
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_no_rule_is_left_out_of_that() -> None:
    tests = (DOCS / "alerts.test.yml").read_text(encoding="utf-8")
    assert re.findall(r"  - name: (Greenroom\w+)", tests) == ALERTS
    assert re.findall(r"alertname: (\w+), exp_alerts: \[\]", tests) == ALERTS


def test_every_metric_that_a_rule_or_its_runbook_names_is_exported() -> None:
    exported = {
        f"{metric.exported}{ending}"
        for metric in METRICS
        for ending in ("", *(("_bucket", "_sum", "_count") if metric.type == "histogram" else ()))
    }
    named = set(re.findall(r"\bgreenroom_\w+", RULES + RUNBOOK))
    assert len(named) > 20
    assert named - exported == set()


def test_every_label_that_a_rule_selects_by_is_the_metrics_own() -> None:
    labels = {metric.exported: metric.labels for metric in METRICS}
    selected = re.findall(r"(greenroom_\w+)\{(\w+)[=~]", RULES)
    assert len(selected) > 5
    for name, label in selected:
        assert label in labels[name.removesuffix("_bucket")], (name, label)


def test_every_rule_says_how_bad_it_is_what_to_do_and_where_to_read_on() -> None:
    rules = RULES.split("- alert: ")[1:]
    for alert, rule in zip(ALERTS, rules, strict=True):
        assert re.search(r"severity: (critical|warning)", rule), alert
        assert "summary: " in rule, alert
        assert "description: " in rule, alert
        assert f"runbook: docs/operations-metrics.md#{alert.lower()}\n" in rule, alert
        assert f"## {alert}\n" in RUNBOOK, alert


def test_one_client_that_never_acknowledges_is_enough_to_hear_of_open_breakers() -> None:
    threshold = re.search(r'breaker_moves_total\{to="open"\}\[10m\]\)\) > (\d+)', RULES)
    assert threshold
    now, opened = 0.0, 0
    while now < 600:
        now = given_up_at(now) + LONGEST_BACKOFF
        opened += 1
    assert opened > int(threshold[1])


def given_up_at(now: float) -> float:
    """When a connection that was sent something at `now` is closed, its breaker open on the way."""
    redelivery, circuits = Redelivery(Settings().patience), set()
    redelivery.sent(now)
    while redelivery.due is not None:
        now = redelivery.due
        retry = redelivery.time_out(now)
        circuits.add(redelivery.circuit)
        if retry is Retry.GIVE_UP:
            break
    assert Circuit.OPEN in circuits
    return now


SILENT_FAILURES = [
    *("EventsUnreceived", "EventsNotSent", "DeliveryRateLow", "DeadLetters", "BreakersOpen"),
    *("IdMismatches", "LookupsFailing", "JournalSlow", "JournalFailing", "RestartStorm"),
    *("HeartbeatCloses", "DrainStuck"),
]


@pytest.mark.parametrize("name", SILENT_FAILURES)
def test_there_is_a_rule_for_each_way_to_fail_in_silence(name: str) -> None:
    assert f"Greenroom{name}" in ALERTS
