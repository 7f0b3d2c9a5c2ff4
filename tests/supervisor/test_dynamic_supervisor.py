from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.supervisor import (
    ChildSpec,
    DynamicSupervisorRef,
    Intensity,
    Restart,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    parent,
    task_child,
)
from greenroom.supervisor.errors import (
    AlreadyStarted,
    ChildLeftBehind,
    NoSuchChild,
    StartFailed,
    TooManyChildren,
)
from tests.supervisor.stage import Stage, settle


@pytest.fixture
async def users() -> AsyncIterator[DynamicSupervisorRef]:
    specs = [dynamic_supervisor_child("users", max_children=3, intensity=Intensity(1, 5.0))]
    async with open_supervisor("root", specs) as root:
        users = root.child("users")
        assert isinstance(users, DynamicSupervisorRef)
        yield users


async def never_up(*, task_status: trio.TaskStatus[object]) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize("end", ["crash", "finish"])
async def test_children_are_temporary_unless_their_spec_says_otherwise(
    end: str, users: DynamicSupervisorRef, stage: Stage
) -> None:
    """DynamicSupervisor, as Supervisor: permanent by default. Not so here: see the decisions."""
    await users.start_child(stage.spec("a"))
    await users.start_child(stage.spec("b", restart=Restart.PERMANENT))
    getattr(stage, end)("a")
    getattr(stage, end)("b")
    await settle()
    assert list(users.children()) == ["b"]
    assert users.child("b") == "b2"


async def test_an_id_that_is_there_is_refused_with_its_value(
    users: DynamicSupervisorRef, stage: Stage
) -> None:
    """supervisor(3), start_child/2: {already_started, Child}. (Elixir ignores ids.)"""
    await users.start_child(stage.spec("a"))
    with pytest.raises(AlreadyStarted) as refusal:
        await users.start_child(stage.spec("a"))
    assert refusal.value.value == "a1"


async def test_max_children_counts_those_that_are_coming_up(
    users: DynamicSupervisorRef, stage: Stage
) -> None:
    """DynamicSupervisor, start_link/1, :max_children: {:error, :max_children} from start_child."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(users.start_child, ChildSpec("stalled", never_up))
        await settle()
        await users.start_child(stage.spec("a"))
        await users.start_child(stage.spec("b"))
        with pytest.raises(TooManyChildren):
            await users.start_child(stage.spec("c"))
        nursery.cancel_scope.cancel()
    await settle()
    await users.start_child(stage.spec("c"))


async def test_a_slow_start_holds_nobody_up(users: DynamicSupervisorRef, stage: Stage) -> None:
    """Beyond OTP: DynamicSupervisor blocks in start_child/2 until the child is up."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(users.start_child, ChildSpec("stalled", never_up))
        await settle()
        assert await users.start_child(stage.spec("a")) == "a1"
        nursery.cancel_scope.cancel()


async def test_a_caller_cancelled_while_it_waits_takes_the_child_along(
    users: DynamicSupervisorRef,
) -> None:
    """Beyond OTP: callers can be cancelled, and nothing is left of what they began."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await users.start_child(ChildSpec("stalled", never_up))
    await settle()
    assert not users.children()


async def test_terminate_child_returns_when_the_child_is_gone(
    users: DynamicSupervisorRef, autojump_clock: trio.testing.MockClock
) -> None:
    """DynamicSupervisor, terminate_child/2: :ok, or {:error, :not_found}."""

    class Slow(Actor[str]):
        async def stopping(self, reason: object) -> None:
            await trio.sleep(2)

    await users.start_child(actor_child("a", Slow))
    begin = trio.current_time()
    await users.terminate_child("a")
    assert 2 <= trio.current_time() - begin < 3
    with pytest.raises(NoSuchChild):
        await users.terminate_child("a")


async def test_terminating_a_child_that_comes_up_fails_its_start(
    users: DynamicSupervisorRef,
) -> None:
    """Beyond OTP: a child that comes up can be terminated, as starts block nobody."""

    async def start() -> None:
        with pytest.raises(StartFailed):
            await users.start_child(ChildSpec("stalled", never_up))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(start)
        await settle()
        await users.terminate_child("stalled")


async def test_a_failed_restart_is_tried_again_and_counted(
    users: DynamicSupervisorRef, stage: Stage
) -> None:
    """supervisor.erl, restart/2: a try that fails counts like any restart."""
    await users.start_child(stage.spec("a", restart=Restart.PERMANENT))
    stage.failing["a"] = 1
    stage.crash("a")
    await settle()
    assert stage.take_log() == "+a -a !a"
    assert users.exit_reason is not None


async def test_crashes_of_temporary_children_cost_no_budget(
    users: DynamicSupervisorRef, stage: Stage
) -> None:
    """supervisor.erl, do_restart/3: a temporary child is no restart."""
    for _ in range(9):
        await users.start_child(stage.spec("a"))
        stage.crash("a")
        await settle()
    assert users.restart_budget == 1
    assert len(users.crashes()) == 9


async def test_a_childs_parent_is_its_supervisor_whoever_called_start_child(
    users: DynamicSupervisorRef,
) -> None:
    """DynamicSupervisor, start_child/2: the supervisor starts the child and is its parent."""

    async def start(*, task_status: trio.TaskStatus[object]) -> None:
        task_status.started(parent())
        await trio.sleep_forever()

    assert await users.start_child(ChildSpec("a", start)) is users


async def test_a_child_that_ignores_cancellation_does_not_hold_terminate_child_for_ever(
    users: DynamicSupervisorRef, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: exit(Pid, kill) cannot be ignored, a cancellation can."""
    release = trio.Event()

    async def stuck() -> None:
        with trio.CancelScope(shield=True):
            await release.wait()

    await users.start_child(task_child("stuck", stuck, shutdown=3))
    with pytest.raises(ChildLeftBehind, match="'stuck'"):
        await users.terminate_child("stuck")
    assert users.left_behind() == ("stuck",)
    assert not users.children()
    release.set()
    await settle()
    assert users.left_behind() == ()


async def test_ten_thousand_children_come_and_go(stage: Stage) -> None:
    """Beyond OTP: OTP's scale cases ask for time alone; bench/supervision.py measures that."""
    async with open_supervisor("root", [dynamic_supervisor_child("users")]) as root:
        users = root.child("users")
        assert isinstance(users, DynamicSupervisorRef)
        for number in range(10_000):
            await users.start_child(stage.spec(f"{number}"))
        for number in range(0, 10_000, 100):
            stage.crash(f"{number}")
        await settle()
        assert users.count_children().active == 9_900
    assert len(stage.log) == 20_000
