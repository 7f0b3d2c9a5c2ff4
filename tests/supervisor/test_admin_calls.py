"""OTP's answer to each admin call in each state a child can be in (supervisor(3))."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio

from greenroom.supervisor import (
    Backoff,
    ChildCounts,
    ChildSpec,
    ChildState,
    Restart,
    StaticSupervisorRef,
    Strategy,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildRestarting,
    ChildRunning,
    NoSuchChild,
    SupervisorStopped,
)
from tests.supervisor.stage import Stage, settle

Call = Callable[[StaticSupervisorRef, Stage], Awaitable[object]]


@pytest.fixture
async def root(stage: Stage) -> AsyncIterator[StaticSupervisorRef]:
    """One child in each state."""
    specs = [
        stage.spec("running"),
        stage.spec("stopped"),
        stage.spec("restarting", backoff=Backoff(first=9.0, limit=9.0)),
    ]
    async with open_supervisor("root", specs) as root:
        await root.terminate_child("stopped")
        stage.crash("restarting")
        await settle()
        yield root


def start(id_: str) -> Call:
    return lambda root, stage: root.start_child(stage.spec(id_))


def terminate(id_: str) -> Call:
    return lambda root, _: root.terminate_child(id_)


def restart(id_: str) -> Call:
    return lambda root, _: root.restart_child(id_)


def delete(id_: str) -> Call:
    return lambda root, _: root.delete_child(id_)


@pytest.mark.requirement("R39")
@pytest.mark.parametrize(
    ("call", "refusal"),
    [
        (start("running"), AlreadyStarted),
        (start("stopped"), AlreadyPresent),
        (start("restarting"), AlreadyPresent),
        (terminate("nobody"), NoSuchChild),
        (restart("running"), ChildRunning),
        (restart("restarting"), ChildRestarting),
        (restart("nobody"), NoSuchChild),
        (delete("running"), ChildRunning),
        (delete("restarting"), ChildRestarting),
        (delete("nobody"), NoSuchChild),
    ],
)
async def test_a_call_that_does_not_fit_the_childs_state_is_refused_and_changes_nothing(
    call: Call, refusal: type[Exception], root: StaticSupervisorRef, stage: Stage
) -> None:
    """supervisor(3), start_child/2, terminate_child/2, restart_child/2, delete_child/2: the errors.

    SUITE: child_adm.
    """
    before = dict(root.children())
    with pytest.raises(refusal):
        await call(root, stage)
    assert before == root.children()


@pytest.mark.requirement("R39")
@pytest.mark.parametrize(
    ("call", "id_", "state"),
    [
        (start("new"), "new", ChildState.RUNNING),
        (terminate("running"), "running", ChildState.STOPPED),
        (terminate("stopped"), "stopped", ChildState.STOPPED),
        (terminate("restarting"), "restarting", ChildState.STOPPED),
        (restart("stopped"), "stopped", ChildState.RUNNING),
        (delete("stopped"), "stopped", None),
    ],
)
async def test_a_call_that_fits_is_done_when_it_returns(
    call: Call, id_: str, state: ChildState | None, root: StaticSupervisorRef, stage: Stage
) -> None:
    """The same functions: ok. SUITE: child_adm."""
    await call(root, stage)
    assert state == root.children().get(id_)


async def test_the_advice_for_a_restarting_child_is_not_that_for_a_stopped_one(
    root: StaticSupervisorRef, stage: Stage
) -> None:
    """Beyond OTP: its {error, already_present} does not tell them apart."""
    with pytest.raises(AlreadyPresent, match=r"stopped \(restart_child\(\) starts it again"):
        await root.start_child(stage.spec("stopped"))
    for call in (start("restarting"), restart("restarting"), delete("restarting")):
        with pytest.raises((AlreadyPresent, ChildRestarting)) as refusal:
            await call(root, stage)
        assert "restart_child" not in str(refusal.value)
        assert "terminate_child()" in str(refusal.value)

    await root.terminate_child("restarting")
    await root.delete_child("restarting")
    await root.start_child(stage.spec("restarting"))


async def test_already_started_tells_the_value_of_the_one_that_is_there(
    root: StaticSupervisorRef, stage: Stage
) -> None:
    """supervisor(3), start_child/2: {error, {already_started, Child}}."""
    with pytest.raises(AlreadyStarted) as refusal:
        await root.start_child(stage.spec("running"))
    assert refusal.value.value == root.child("running")


async def test_counts_tell_specs_active_supervisors_and_workers(
    root: StaticSupervisorRef,
) -> None:
    """supervisor(3), count_children/1. SUITE: count_children."""
    await root.start_child(supervisor_child("sub", []))
    assert ChildCounts(specs=4, active=2, supervisors=1, workers=3) == root.count_children()


async def test_which_children_shows_no_value_for_those_that_are_down(
    root: StaticSupervisorRef,
) -> None:
    """supervisor(3), which_children/1: restarting or undefined. SUITE: which_children."""
    assert [(info.id, info.value) for info in root.which_children()] == [
        ("running", "running1"),
        ("stopped", None),
        ("restarting", None),
    ]


async def test_a_started_child_is_stopped_first_and_its_spec_can_be_asked_for(
    stage: Stage,
) -> None:
    """supervisor(3), start_child/2: added at the end of the start order; get_childspec/2."""
    async with open_supervisor("root", [stage.spec("a")]) as root:
        spec = stage.spec("b")
        assert await root.start_child(spec) == "b1"
        assert root.get_child_spec("b") is spec
    assert stage.take_log() == "+a +b -b -a"


async def test_a_terminated_temporary_child_is_forgotten(stage: Stage) -> None:
    """supervisor(3), terminate_child/2: the spec of a temporary child is deleted with it."""
    specs = [stage.spec("a", restart=Restart.TEMPORARY)]
    async with open_supervisor("root", specs) as root:
        await root.terminate_child("a")
        assert not root.children()


async def test_new_specs_take_effect_at_the_next_start(stage: Stage) -> None:
    """supervisor.erl, code_change/3. SUITE: code_change."""
    async with open_supervisor("root", [stage.spec("a"), stage.spec("b")]) as root:
        await root.change_specs([stage.spec("a", restart=Restart.TEMPORARY), stage.spec("c")])
        assert root.children() == {
            "a": ChildState.RUNNING,
            "b": ChildState.RUNNING,
            "c": ChildState.STOPPED,
        }
        stage.crash("a")
        await settle()
        assert list(root.children()) == ["c", "b"]


async def test_calls_wait_for_a_restart_that_is_under_way(stage: Stage) -> None:
    """supervisor.erl is a gen_server: a call is handled when the restart under way is done."""
    release, lives = trio.Event(), iter([False, True])

    async def slow(*, task_status: trio.TaskStatus[object]) -> None:
        if next(lives):
            await release.wait()
        task_status.started()
        await trio.sleep_forever()

    specs = [stage.spec("a"), ChildSpec("slow", slow)]
    async with (
        open_supervisor("root", specs, strategy=Strategy.ONE_FOR_ALL) as root,
        trio.open_nursery() as nursery,
    ):
        stage.crash("a")
        await settle()
        nursery.start_soon(root.terminate_child, "a")
        await settle()
        assert root.children()["a"] is ChildState.RUNNING
        release.set()
        await settle()
        assert root.children()["a"] is ChildState.STOPPED


async def test_a_call_that_waits_when_the_supervisor_ends_is_told_so(stage: Stage) -> None:
    """gen_server(3), call/2: the caller is told that the server ended, or is not there."""

    async def never_up(*, task_status: trio.TaskStatus[object]) -> None:
        await trio.sleep_forever()

    refused: list[str] = []

    async def call(ask: Callable[[], Awaitable[object]], name: str) -> None:
        with pytest.raises(SupervisorStopped):
            await ask()
        refused.append(name)

    async with trio.open_nursery() as nursery:
        async with open_supervisor("root", [stage.spec("a")]) as root:
            stalled = ChildSpec("stalled", never_up)
            nursery.start_soon(call, lambda: root.start_child(stalled), "under way")
            await settle()
            nursery.start_soon(call, lambda: root.terminate_child("a"), "waiting")
            await settle()
        await call(lambda: root.delete_child("a"), "after")
    assert sorted(refused) == ["after", "under way", "waiting"]


async def test_a_child_whose_end_is_not_dealt_with_yet_counts_as_running(stage: Stage) -> None:
    """supervisor.erl, handle_info/2: an end counts from when its exit signal is handled.

    But not as active: count_child/2 asks whether it is alive.
    """
    release = trio.Event()

    async def slow(*, task_status: trio.TaskStatus[object]) -> None:
        await release.wait()
        task_status.started()

    async def delete(root: StaticSupervisorRef) -> None:
        with pytest.raises(ChildRunning):
            await root.delete_child("a")

    async with open_supervisor("root", [stage.spec("a")]) as root, trio.open_nursery() as nursery:
        nursery.start_soon(root.start_child, ChildSpec("slow", slow, Restart.TEMPORARY))
        await settle()
        nursery.start_soon(delete, root)
        await settle()
        assert root.count_children().active == 1
        stage.crash("a")
        await settle()
        assert root.children()["a"] is ChildState.RUNNING
        assert root.count_children() == ChildCounts(specs=2, active=0, supervisors=0, workers=2)
        release.set()
        await settle()
        assert root.children() == {"a": ChildState.RUNNING}
