"""The page and the metrics name the codes and phases that the server has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.metrics.table import METRICS
from greenroom.transport.connection.actor import NO_CODE
from greenroom.transport.connection.machine.data import Phase
from greenroom.transport.protocol.close_codes import CloseCode

pytestmark = pytest.mark.requirement("R22")

CLIENTS = Path(__file__).parents[2] / "clients"
SOURCES = ("js/src/protocol/*.ts", "js/src/*.ts", "page/src/*.ts")
NAMED = re.compile(r"\b[A-Z][A-Z_]+ = ([14]\d{3})\b")
GIVEN = re.compile(r"(?:code === |code: |^ {2})(\d{4})\b(?=[,: )])", re.MULTILINE)


def scripts() -> Iterator[str]:
    found = [path.read_text() for pattern in SOURCES for path in CLIENTS.glob(pattern)]
    assert found
    yield from found


@pytest.mark.skipif(not CLIENTS.exists(), reason="reads the sources of the page")
def test_each_code_that_the_page_names_is_one_of_the_servers() -> None:
    known = {code.value for code in CloseCode} | {NO_CODE}
    named = {int(code) for script in scripts() for code in NAMED.findall(script)}
    given = {int(code) for script in scripts() for code in GIVEN.findall(script)}
    assert {4101, 4106, 4500, 4502, 1009} <= named
    assert {4503, 4506, 4507} <= given
    assert named | given <= known


def test_the_phases_of_the_metrics_are_the_machines() -> None:
    (metric,) = [each for each in METRICS if each.name == "connections"]
    assert {phase for (phase,) in metric.known} == {phase.value for phase in Phase}
