"""A server and a program that speaks to its users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.protocol.server import Server, serving, unnoticed
from tests.services.program import Program, program


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def worker(server: Server) -> Iterator[Program]:
    with program(server) as worker:
        yield worker


@pytest.fixture(autouse=True)
def expected_errors(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    yield from unnoticed(caplog)
