from __future__ import annotations

import signal
import types
from collections.abc import Iterator

import pytest

from tests.supervisor.stage import Stage

PATIENCE = 60
"""Seconds of real time for one test. A supervisor that hangs must fail its test, not the build."""


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture(autouse=True)
def _fails_rather_than_hangs() -> Iterator[None]:
    """A clock that works on a mock clock too, and when nothing ever waits."""

    def give_up(_: int, frame: types.FrameType | None) -> None:
        raise TimeoutError(f"this test did not end in {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
