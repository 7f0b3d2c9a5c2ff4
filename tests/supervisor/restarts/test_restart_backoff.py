from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor import (
    Backoff,
    ChildState,
    Intensity,
    Strategy,
    dynamic_supervisor_child,
    open_supervisor,
)
from greenroom.supervisor.child_spec import Restart
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef
from greenroom.supervisor.errors import InvalidChildSpec
from tests.supervisor.stage import Stage, settle

STEADY = Backoff(first=1.0, limit=4.0, factor=2.0, jitter=0.0)


def test_the_delay_doubles_up_to_its_limit() -> None:
    """Beyond OTP: OTP restarts at once, and tries again at once."""
    assert [STEADY.delay(failures) for failures in (1, 2, 3, 10_000)] == [1.0, 2.0, 4.0, 4.0]


@given(st.integers(1, 50), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_jitter_takes_off_as_much_of_its_share_as_is_drawn(
    failures: int, jitter: float, drawn: float
) -> None:
    """Beyond OTP: so that many do not come back in the same moment."""
    steady = Backoff(jitter=0.0).delay(failures)
    jittered = Backoff(jitter=jitter, draw=lambda: drawn).delay(failures)
    assert jittered == steady * (1 - jitter * drawn)


def test_by_default_up_to_half_of_a_delay_is_drawn_anew_every_time() -> None:
    """Beyond OTP: and no two of many are likely to draw the same."""
    assert Backoff(draw=lambda: 1.0).delay(1) == Backoff().first / 2
    assert len({Backoff().delay(1) for _ in range(100)}) > 1


@pytest.mark.parametrize("wrong", [{"first": 0}, {"limit": 0.01}, {"factor": 0.5}, {"jitter": 2}])
def test_a_backoff_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """Beyond OTP: refused as flags and specs are (supervisor(3), check_childspecs/1)."""
    with pytest.raises(InvalidChildSpec):
        Backoff(**wrong)  # type: ignore[arg-type]  # parametrised by field


async def test_a_crashed_child_stays_down_for_its_backoff(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: which_children/1 says restarting all the while."""
    async with open_supervisor("root", [stage.spec("a", backoff=STEADY)]) as root:
        for pause in (1.0, 2.0):
            stage.crash("a")
            await trio.sleep(pause - 0.1)
            assert root.children() == {"a": ChildState.RESTARTING}
            await trio.sleep(0.2)
            assert root.children() == {"a": ChildState.RUNNING}


async def test_the_siblings_that_restart_with_it_are_down_for_the_backoff_too(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: the order of supervisor(3), one_for_all, is kept."""
    children = [stage.spec("a", backoff=STEADY), stage.spec("b")]
    async with open_supervisor("root", children, strategy=Strategy.ONE_FOR_ALL):
        stage.crash("a")
        await trio.sleep(0.5)
        assert stage.take_log() == "+a +b -a -b"
        await trio.sleep(1)
        assert stage.take_log() == "+a +b"


async def test_terminating_a_child_calls_its_delayed_restart_off(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: supervisor(3), terminate_child/2, of one that is restarting."""
    async with open_supervisor("root", [stage.spec("a", backoff=STEADY)]) as root:
        stage.crash("a")
        await settle()
        await root.terminate_child("a")
        await trio.sleep(10)
        assert stage.take_log() == "+a -a"


async def test_a_restart_that_was_called_off_does_not_hurry_a_later_one(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: nothing is left of a restart that was called off."""
    async with open_supervisor("root", [stage.spec("a", backoff=STEADY)]) as root:
        stage.crash("a")
        await trio.sleep(0.5)
        await root.terminate_child("a")
        await root.restart_child("a")
        stage.crash("a")
        await trio.sleep(1.5)
        assert root.children() == {"a": ChildState.RESTARTING}
        await trio.sleep(1)
        assert root.children() == {"a": ChildState.RUNNING}


async def test_a_long_enough_life_starts_the_backoff_over(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: as the restart intensity forgives after its period."""
    async with open_supervisor("root", [stage.spec("a", backoff=STEADY)]):
        for _ in range(3):
            stage.crash("a")
            await trio.sleep(1.1)
            assert stage.take_log().endswith("+a")
            await trio.sleep(STEADY.reset_after)


async def test_dynamic_children_back_off_as_well_and_can_be_terminated_meanwhile(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: the same under a dynamic supervisor."""
    specs = [dynamic_supervisor_child("users", intensity=Intensity(5, 60))]
    async with open_supervisor("root", specs) as root:
        users = root.child("users")
        assert isinstance(users, DynamicSupervisorRef)
        spec = stage.spec("a", restart=Restart.TRANSIENT, backoff=STEADY)
        await users.start_child(spec)
        stage.crash("a")
        await trio.sleep(1.1)
        assert stage.take_log() == "+a -a +a"
        stage.crash("a")
        await settle()
        assert users.children() == {"a": ChildState.RESTARTING}
        await users.terminate_child("a")
        await trio.sleep(10)
        assert stage.take_log() == "-a"
