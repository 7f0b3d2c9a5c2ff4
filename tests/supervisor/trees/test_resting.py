"""Supervisors below another have a task only while they have something to do."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from greenroom.actors.exit import ExitKind
from greenroom.supervisor import (
    ChildSpec,
    DynamicSupervisor,
    DynamicSupervisorRef,
    Intensity,
    Restart,
    StaticSupervisorRef,
    Supervisor,
    SupervisorRef,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.errors import SupervisorStopped
from tests.supervisor.stage import Stage, settle

pytestmark = pytest.mark.requirement("R39")


def tasks_of(root: SupervisorRef) -> set[str]:
    """The names of the tasks in the tree's nursery."""
    return {task.name for task in root._nursery.child_tasks}


async def test_supervisors_below_another_have_no_task_while_they_wait(stage: Stage) -> None:
    """Beyond OTP: its supervisors are processes of 2.6 KB; a parked task takes 6 KiB."""
    below = [stage.spec("a"), dynamic_supervisor_child("many")]
    async with open_supervisor("root", [supervisor_child("sub", below)]) as root:
        sub = root.child("sub", StaticSupervisorRef)
        await sub.child("many", DynamicSupervisorRef).start_child(stage.spec("b"))
        await settle()
        assert tasks_of(root) == {"root/sub/a", "root/sub/many/b"}
    assert stage.log == ["+a", "+b", "-b", "-a"]


class Spawned(trio.abc.Instrument):
    """The names of the tasks that were started."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.names.append(task.name)


async def test_a_dynamic_supervisor_below_another_comes_up_without_a_task(stage: Stage) -> None:
    """Beyond OTP: it has no children to wait for."""
    spawned = Spawned()
    async with open_supervisor("root") as root:
        trio.lowlevel.add_instrument(spawned)
        many = await root.start_child(dynamic_supervisor_child("many"))
        await many.start_child(stage.spec("a"))
        trio.lowlevel.remove_instrument(spawned)
        assert spawned.names == ["root/many/a"]


async def test_a_resting_supervisor_restarts_a_child_and_rests_again(stage: Stage) -> None:
    """Beyond OTP: it has a task for the length of the restart."""
    async with open_supervisor("root", [supervisor_child("sub", [stage.spec("a")])]) as root:
        await settle()
        stage.crash("a")
        await settle()
        assert stage.log == ["+a", "-a", "+a"]
        assert tasks_of(root) == {"root/sub/a"}


async def test_a_resting_supervisor_takes_admin_calls(stage: Stage) -> None:
    """Beyond OTP: it has a task for the length of the call."""
    async with open_supervisor("root", [supervisor_child("sub", [])]) as root:
        sub = root.child("sub", StaticSupervisorRef)
        for _ in range(2):
            await settle()
            await sub.start_child(stage.spec("a"))
            await sub.terminate_child("a")
            await sub.delete_child("a")
        assert stage.log == ["+a", "-a"] * 2
        await settle()
        assert tasks_of(root) == set()


@pytest.mark.parametrize("kind", ["static", "dynamic"])
async def test_a_resting_supervisor_gives_up_as_one_with_a_task_does(
    stage: Stage, kind: str
) -> None:
    """supervisor(3): past its intensity it ends its children and then itself, by `shutdown`."""
    spec = stage.spec("a", restart=Restart.PERMANENT)
    once = {"intensity": Intensity(0, 1.0), "restart": Restart.TRANSIENT}
    many = dynamic_supervisor_child("sub", **once)  # type: ignore[arg-type]  # test shorthand
    few = supervisor_child("sub", [spec], **once)  # type: ignore[arg-type]  # test shorthand
    async with open_supervisor("root", [few if kind == "static" else many]) as root:
        sub = root.child("sub", SupervisorRef)
        if isinstance(sub, DynamicSupervisorRef):
            await sub.start_child(spec)
        await settle()
        stage.crash("a")
        reason = await sub.wait_stopped()
        await settle()
        assert reason.kind is ExitKind.SHUTDOWN
        assert [crash.path for crash in root.crashes()] == ["root/sub/a", "root/sub"]
        assert sub.stopped


async def test_a_resting_supervisor_that_is_stopped_takes_no_more_children(stage: Stage) -> None:
    """supervisor(3), terminate_child and restart_child, of a supervisor as the child."""
    async with open_supervisor("root", [dynamic_supervisor_child("many")]) as root:
        many = root.child("many", DynamicSupervisorRef)
        await many.start_child(stage.spec("a"))
        await root.terminate_child("many")
        assert stage.log == ["+a", "-a"]
        with pytest.raises(SupervisorStopped):
            await many.start_child(stage.spec("b"))
        assert await root.restart_child("many") is root.child("many")


async def test_a_resting_supervisor_that_is_killed_takes_its_children_along(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """supervisor(3), shutdown: brutal_kill of a supervisor ends what is below it."""

    async def deaf(*, task_status: trio.TaskStatus[object]) -> None:
        with trio.CancelScope(shield=True):
            task_status.started()
            await let_go.wait()

    let_go = trio.Event()
    many = dynamic_supervisor_child("many", shutdown=1.0)
    async with open_supervisor("root", [many]) as root:
        await root.child(many).start_child(ChildSpec("deaf", deaf, shutdown=90.0))
        began = trio.current_time()
        await root.terminate_child("many")
        assert trio.current_time() - began < 5
        let_go.set()


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
async def test_a_start_function_around_a_supervisor_keeps_its_task_and_what_it_holds(
    kind: type[Supervisor | DynamicSupervisor], stage: Stage
) -> None:
    """Beyond OTP: in a start function, the supervisor is in the middle of other code."""
    held: list[str] = []

    async def start(*, task_status: trio.TaskStatus[object]) -> None:
        held.append("taken")
        try:
            await kind("sub").run(task_status=task_status)
        finally:
            held.append("given back")

    async with open_supervisor("root", [ChildSpec("sub", start, kind="supervisor")]) as root:
        await settle()
        assert held == ["taken"]
        assert tasks_of(root) == {"root/sub"}
    assert held == ["taken", "given back"]
