"""A question that waits costs no timer of its own."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from greenroom import Run, Settings, open_runtime
from greenroom.actors.timers import alarm_clock


@pytest.mark.requirement("R44")
@pytest.mark.parametrize("expires", [None, 3600.0])
async def test_idle_questions_of_a_user_have_one_timer_at_most(
    expires: float | None, autojump_clock: trio.testing.MockClock
) -> None:
    settings = Settings(journal=":memory:")
    async with open_runtime(settings) as runtime, runtime.run(user="alice", agent="a") as run:
        alarms = []
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                for _ in range(10):
                    nursery.start_soon(ask, run, expires)
                await trio.sleep(10)  # what is written lazily is written
                alarms.append(len(alarm_clock()))
            nursery.cancel_scope.cancel()
    assert len(set(alarms)) == 1, "thirty questions have as many timers as ten"


async def ask(run: Run, expires: float | None) -> None:
    await run.ask("?", expires=expires)
