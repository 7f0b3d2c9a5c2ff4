"""The page and the metrics name the codes and phases that the server has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import greenroom.transport
from greenroom.metrics.table import METRICS
from greenroom.transport.connection.actor import NO_CODE
from greenroom.transport.connection.machine.data import Phase
from greenroom.transport.protocol.close_codes import CloseCode

pytestmark = pytest.mark.requirement("R22")

PAGE = Path(greenroom.transport.__file__).parent / "page"
NAMED = re.compile(r"\b[A-Z][A-Z_]+ = ([14]\d{3})\b")
GIVEN = re.compile(r"(?:#lost\(|code === |code: |^ {2})(\d{4})\b(?=[,: )])", re.MULTILINE)


def scripts() -> Iterator[str]:
    found = [path.read_text() for path in PAGE.glob("*.js")]
    assert found
    yield from found


def test_each_code_that_the_page_names_is_one_of_the_servers() -> None:
    known = {code.value for code in CloseCode} | {NO_CODE}
    named = {int(code) for script in scripts() for code in NAMED.findall(script)}
    given = {int(code) for script in scripts() for code in GIVEN.findall(script)}
    assert {4502, 1009} <= named
    assert {4101, 4106, 4500, 4503, 4507} <= given
    assert named | given <= known


def test_the_phases_of_the_metrics_are_the_machines() -> None:
    (metric,) = [each for each in METRICS if each.name == "connections"]
    assert {phase for (phase,) in metric.known} == {phase.value for phase in Phase}
