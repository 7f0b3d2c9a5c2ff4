"""What a tree keeps of its restarts, and what it does not."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest
import trio
import trio.testing

from greenroom.supervisor import (
    Intensity,
    Restart,
    dynamic_supervisor_child,
    open_supervisor,
)
from greenroom.supervisor.errors import RestartIntensityExceeded
from greenroom.supervisor.supervisor_ref import MOST_NAMED
from tests.supervisor.stage import Crash, Stage, settle

pytestmark = pytest.mark.fault("S5")
GENEROUS = Intensity(100_000, 10.0)


@pytest.mark.parametrize("kind", ["static", "dynamic"])
async def test_the_errors_of_restarts_that_are_long_ago_are_forgotten(
    kind: str,
    stage: Stage,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """supervisor(3), intensity: restarts count for as long as the period lasts."""
    caplog.set_level(logging.CRITICAL + 1, "greenroom.supervisor")  # pytest keeps what is logged
    errors: list[weakref.ref[BaseException]] = []
    many = dynamic_supervisor_child("many", intensity=GENEROUS)
    async with open_supervisor("root", [many], intensity=GENEROUS) as root:
        supervisor = root if kind == "static" else root.child(many)
        await supervisor.start_child(stage.spec("a", restart=Restart.PERMANENT))
        for _ in range(300):
            stage.crash("a")
            await settle()
            await trio.sleep(60)
            error = root.crashes()[-1].reason.error
            assert isinstance(error, Crash)
            errors.append(weakref.ref(error))
            del error
        gc.collect()
        assert sum(each() is not None for each in errors) <= 101  # the crash log's, and the last
        assert len(supervisor._costly_ends) == 1


async def test_the_reports_of_one_window_are_bounded_and_the_last_are_told(stage: Stage) -> None:
    """supervisor(3), intensity: beyond OTP, a supervisor that gives up says over what."""

    async def give_up() -> None:
        async with open_supervisor("root", [stage.spec("a")], intensity=Intensity(150, 10.0)):
            for _ in range(151):
                stage.crash("a")
                await settle()

    with pytest.raises(RestartIntensityExceeded) as caught:
        await give_up()
    numbers = [crash.number for crash in caught.value.crashes]
    assert numbers == list(range(151 - MOST_NAMED + 1, 152))
