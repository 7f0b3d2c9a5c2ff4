"""A machine's clock that differs from the engine's is named in one line, not at each beat."""

from __future__ import annotations

import time

import pytest
import trio

from greenroom.delivery.journal.sql.nodes.clocks import Clocks
from tests.delivery.shared.shared_place import SharedPlace


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each for each in caplog.messages if each.startswith("the clock of this machine")]


async def test_a_node_whose_clock_is_a_minute_ahead_says_so_once_and_goes_on(
    place: SharedPlace, caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0

    def ahead() -> float:
        nonlocal asked
        asked += 1
        return time.time() + 60

    async with place.open(lease=0.4) as journal:
        assert told(caplog) == []
        journal._lease.clocks.now = ahead
        with trio.fail_after(60):
            while asked < 6:  # noqa: ASYNC110  # three renewals; nothing announces them
                await trio.sleep(0.01)
        [line] = told(caplog)
        assert " s ahead of that of " in line
        assert journal.trouble == ""


def test_what_waiting_explains_is_no_difference(caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks(now=lambda: 160.0)
    clocks.compare(asked=100.0, theirs=101.0, where="there")
    clocks.compare(asked=100.0, theirs=159.0, where="there")
    clocks.compare(asked=109.0, theirs=100.0, where="there")
    assert told(caplog) == []


def test_a_clock_that_differs_again_is_named_again(caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks(now=lambda: 100.0)
    for theirs in (161.0, 162.0, 100.0, 40.0):
        clocks.compare(asked=100.0, theirs=theirs, where="there")
    assert [line.split(":")[0] for line in told(caplog)] == [
        "the clock of this machine is 61 s behind that of there",
        "the clock of this machine is 60 s ahead of that of there",
    ]
