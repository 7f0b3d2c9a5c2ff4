"""The wall clock is set back and forth by hours under live connections."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

import greenroom
from greenroom.transport.auth.tokens import sign_token
from tests.system.processes import SECRET
from tests.system.tab import Tab

HOUR = 3600.0
HEARTBEAT = 10.0


@pytest.fixture
def passing() -> MockClock:
    """What timers go by: real time, and what a test adds."""
    return MockClock(rate=1.0)


@attrs.define
class WallClock:
    """A clock that somebody sets."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@asynccontextmanager
async def served(clock: WallClock, token_hours: float) -> AsyncIterator[tuple[Tab, Any]]:
    settings = greenroom.Settings(journal=":memory:", port=0, secret=SECRET, heartbeat=HEARTBEAT)
    async with greenroom.open_runtime(settings, wall_clock=clock) as runtime:
        port = await runtime.listen()
        token = sign_token(SECRET, "ann", token_hours * HOUR, now=clock())
        tab = Tab("127.0.0.1", port, token)
        async with tab.connected():
            yield tab, runtime


async def heartbeat(tab: Tab, passing: MockClock) -> None:
    """One heartbeat later, and answered."""
    goal = tab.pings + 1
    passing.jump(HEARTBEAT)
    await tab.until(lambda: tab.pings >= goal or tab.is_over)
    await wait_all_tasks_blocked()


@pytest.mark.requirement("R35")
async def test_offsets_timers_and_heartbeats_know_nothing_of_the_wall_clock(
    passing: MockClock,
) -> None:
    clock = WallClock()
    async with served(clock, token_hours=1_000) as (tab, runtime):
        async with runtime.run(user="ann", agent="a") as run:
            for ahead in (5 * HOUR, -7 * HOUR, 0.0, -24 * HOUR, 48 * HOUR):
                clock.ahead = ahead
                receipt = await run.agent_thinking(text=str(ahead))
                await receipt.wait_received(timeout=30)
                assert abs(receipt.at / 1000 - clock()) < 60, "`at` is what the wall clock says"
                await heartbeat(tab, passing)
                assert not tab.is_over
        await tab.until_offset(7)
        assert [event["offset"] for event in tab.seen] == list(range(1, 8))


async def test_a_clock_that_is_put_right_shows_that_a_token_has_expired(passing: MockClock) -> None:
    """It was three hours slow when the token came; heartbeats look again."""
    clock = WallClock()
    async with served(clock, token_hours=2) as (tab, _):
        await heartbeat(tab, passing)
        assert not tab.is_over
        clock.ahead = 3 * HOUR
        passing.jump(HEARTBEAT)
        await tab.until(lambda: tab.is_over)
        (closing,) = [frame for frame in tab.other if frame["type"] == "closing"]
        assert closing["code"] == 4104
        assert closing["reconnect"] is not None, "with another token it may come back"


async def test_a_clock_that_is_set_back_leaves_a_token_its_time(passing: MockClock) -> None:
    clock = WallClock()
    async with served(clock, token_hours=HEARTBEAT / 2 / HOUR) as (tab, _):
        clock.ahead = -2 * HOUR
        await heartbeat(tab, passing)
        assert not tab.is_over
