"""Dynamic supervisors: Elixir's DynamicSupervisor and supervisor(3), simple_one_for_one."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.errors import OrderlyExit
from greenroom.actors.exit import KILLED, SHUTDOWN, ExitKind, ExitReason
from greenroom.actors.ref import Ref
from greenroom.supervisor import (
    ChildCounts,
    ChildSpec,
    ChildState,
    DynamicSupervisorRef,
    Intensity,
    Restart,
    Shutdown,
    Started,
    SupervisorRef,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.errors import Ignore, NoSuchChild, StartFailed
from tests.supervisor.stage import Crash, Stage, settle

pytestmark = pytest.mark.requirement("R39")


@pytest.fixture
async def dynamic() -> AsyncIterator[DynamicSupervisorRef]:
    spec = dynamic_supervisor_child("dynamic", intensity=Intensity(10, 3600.0))
    async with open_supervisor("root", [spec]) as root:
        dynamic = root.child("dynamic")
        assert isinstance(dynamic, DynamicSupervisorRef)
        yield dynamic


class Slow(Actor[str]):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def stopping(self, reason: ExitReason) -> None:
        await trio.sleep(self.seconds)


async def test_it_starts_with_no_children_and_counts_those_that_are_added(
    dynamic: DynamicSupervisorRef, stage: Stage
) -> None:
    """DynamicSupervisor: starts with no children, they are started on demand.

    SUITE: child_adm_simple, count_children, count_children_supervisor,
    which_children_simple_one_for_one. (specs are children, as with DynamicSupervisor.)
    """
    assert dynamic.count_children() == ChildCounts(0, 0, 0, 0)
    assert await dynamic.start_child(stage.spec("a")) == "a1"
    assert dynamic.child("a") == "a1"
    await dynamic.start_child(supervisor_child("s", []))
    assert dynamic.count_children() == ChildCounts(specs=2, active=2, supervisors=1, workers=1)
    assert [info.id for info in dynamic.which_children()] == ["a", "s"]
    await dynamic.terminate_child("a")
    with pytest.raises(NoSuchChild):
        await dynamic.terminate_child("a")
    assert dynamic.count_children() == ChildCounts(1, 1, 1, 0)


def test_there_is_nothing_to_restart_or_delete_by_hand() -> None:
    """supervisor(3), simple_one_for_one: delete_child/2 and restart_child/2 are invalid.

    SUITE: child_adm_simple.
    """
    assert not hasattr(DynamicSupervisorRef, "restart_child")
    assert not hasattr(DynamicSupervisorRef, "delete_child")


@pytest.mark.parametrize("restart", Restart)
async def test_a_declined_start_adds_no_child_whatever_its_restart(
    restart: Restart, dynamic: DynamicSupervisorRef
) -> None:
    """DynamicSupervisor, start_child/2: :ignore, no child is added.

    SUITE: sup_start_ignore_temporary_child_start_child_simple,
    sup_start_ignore_permanent_child_start_child_simple.
    """

    async def declines(*, task_status: trio.TaskStatus[object]) -> None:
        raise Ignore

    assert await dynamic.start_child(ChildSpec("a", declines, restart)) is None
    assert not dynamic.children()
    assert dynamic.crashes() == ()


async def test_a_failed_start_adds_no_child(dynamic: DynamicSupervisorRef, stage: Stage) -> None:
    """DynamicSupervisor, start_child/2: the child specification is discarded.

    SUITE: sup_start_child_returns_error_simple.
    """
    stage.failing["a"] = 1
    with pytest.raises(StartFailed, match="root/dynamic") as failure:
        await dynamic.start_child(stage.spec("a", restart=Restart.PERMANENT))
    assert isinstance(failure.value.__cause__, Crash)
    assert not dynamic.children()


async def test_what_a_start_adds_is_told_to_the_caller(dynamic: DynamicSupervisorRef) -> None:
    """DynamicSupervisor, start_child/2: {:ok, child, info}. SUITE: simple_one_for_one_extra."""
    crashes: list[trio.Event] = []

    async def start(*, task_status: trio.TaskStatus[object]) -> None:
        crashes.append(trio.Event())
        task_status.started(Started("child", info=8700))
        await crashes[-1].wait()
        raise Crash("to be restarted")

    spec = ChildSpec("a", start, Restart.PERMANENT)
    assert await dynamic.start_child(spec) == Started("child", 8700)
    crashes[-1].set()
    await settle()
    assert len(crashes) == 2
    assert dynamic.child("a") == "child"


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.PERMANENT])
async def test_a_restart_that_is_declined_is_the_childs_end(
    restart: Restart, dynamic: DynamicSupervisorRef
) -> None:
    """SUITE: simple_one_for_one_restart_ignore."""
    lives = iter([True, True, False])

    async def once(*, task_status: trio.TaskStatus[object]) -> None:
        if not next(lives):
            raise Ignore
        task_status.started()
        raise Crash("once")

    await dynamic.start_child(ChildSpec("a", once, restart))
    await settle()
    assert not dynamic.children()
    assert len(dynamic.crashes()) == 2


async def test_the_spec_of_every_child_can_be_read_back(
    dynamic: DynamicSupervisorRef, stage: Stage
) -> None:
    """supervisor(3), get_childspec/2. SUITE: sup_start_map_simple."""
    specs = {id_: stage.spec(id_) for id_ in "abc"}
    for spec in specs.values():
        await dynamic.start_child(spec)
    assert specs == {id_: dynamic.get_child_spec(id_) for id_ in "abc"}
    read = dynamic.get_child_spec("a")
    assert (read.restart, dynamic.default_restart) == (None, Restart.TEMPORARY)
    assert (read.shutdown, read.kind, read.significant) == (5.0, "worker", False)
    with pytest.raises(NoSuchChild):
        dynamic.get_child_spec("d")


async def test_nobody_waits_for_start_child_soon_so_its_failure_is_reported(
    dynamic: DynamicSupervisorRef, stage: Stage
) -> None:
    """Beyond OTP: a start without a caller does not fail in silence (R02)."""
    stage.failing["a"] = 1
    dynamic.start_child_soon(stage.spec("a"))
    dynamic.start_child_soon(stage.spec("b"))
    await settle()
    assert list(dynamic.children()) == ["b"]
    assert [str(crash.reason.error) for crash in dynamic.crashes()] == ["a did not come up"]


async def test_a_restart_that_keeps_failing_lets_others_through_and_can_be_stopped(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """SUITE: hanging_restart_loop_simple, count_restarting_children."""
    endless = dynamic_supervisor_child("dynamic", intensity=Intensity(1_000_000, 3600.0))
    with trio.fail_after(30):
        async with open_supervisor("root", [endless]) as root:
            dynamic = root.child("dynamic")
            assert isinstance(dynamic, DynamicSupervisorRef)
            await dynamic.start_child(stage.spec("a", restart=Restart.PERMANENT))
            stage.failing["a"] = 1_000_000
            stage.crash("a")
            await trio.lowlevel.checkpoint()
            await dynamic.start_child(stage.spec("b"))
            assert dynamic.count_children() == ChildCounts(2, 1, 0, 2)
            assert dynamic.children()["a"] is not ChildState.RUNNING
            await dynamic.terminate_child("a")
            assert list(dynamic.children()) == ["b"]
            stage.failing["a"] = 0
            await dynamic.start_child(stage.spec("a", restart=Restart.PERMANENT))
            assert dynamic.count_children() == ChildCounts(2, 2, 0, 2)
            stage.failing["a"] = 1_000_000
            stage.crash("a")
            await trio.lowlevel.checkpoint()
    assert dynamic.exit_reason == SHUTDOWN


async def test_all_are_stopped_at_once_each_by_its_own_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor(3), simple_one_for_one: shuts all children down asynchronously.

    SUITE: simple_one_for_one_shutdown, sup_stop_timeout_dynamic, sup_stop_brutal_kill_dynamic.
    """
    async with open_supervisor("root", [dynamic_supervisor_child("dynamic")]) as root:
        dynamic = root.child("dynamic")
        assert isinstance(dynamic, DynamicSupervisorRef)
        ends: dict[str, float] = {}
        refs: dict[str, Ref[str]] = {}
        for id_, shutdown in {
            "patient": Shutdown.INFINITY,
            "late": 3.0,
            "brutal": Shutdown.BRUTAL_KILL,
        }.items():
            spec = actor_child(id_, lambda: Slow(10), shutdown=shutdown)
            ref = refs[id_] = await dynamic.start_child(spec)  # type: ignore[assignment]  # a ref
            ref.when_stopped(lambda _, id_=id_: ends.update({id_: trio.current_time() - begin}))  # type: ignore[misc]  # mypy cannot infer a default's type
        begin = trio.current_time()
    assert ends == {"patient": 10, "late": 3, "brutal": 0}
    assert {id_: ref.exit_reason for id_, ref in refs.items()} == {
        "patient": SHUTDOWN,
        "late": KILLED,
        "brutal": KILLED,
    }


async def test_nobody_outlives_its_time_because_another_has_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """SUITE: sup_stop_timeout_dynamic (with times of their own)."""
    async with open_supervisor("root", [dynamic_supervisor_child("dynamic")]) as root:
        dynamic = root.child("dynamic")
        assert isinstance(dynamic, DynamicSupervisorRef)
        await dynamic.start_child(
            actor_child("patient", lambda: Slow(10), shutdown=Shutdown.INFINITY)
        )
        slow = actor_child("slow", lambda: Slow(60), shutdown=60)
        inner = await dynamic.start_child(supervisor_child("inner", [slow], shutdown=3))
        assert isinstance(inner, SupervisorRef)
        begin = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(root.terminate_child, "dynamic")
            assert await inner.wait_stopped() == KILLED
            assert trio.current_time() - begin == 3


@pytest.mark.parametrize("restart", Restart)
async def test_those_that_die_otherwise_than_asked_are_reported_and_the_rest_stop(
    restart: Restart,
) -> None:
    """supervisor.erl, wait_dynamic_children/5. SUITE: sup_stop_non_shutdown_exit_dynamic."""

    async def ends(error: Exception | None) -> None:
        with suppress(trio.Cancelled):
            await trio.sleep_forever()
        if error is not None:
            raise error

    last: dict[str, Exception | None] = {
        "normal": None,
        "shutdown": OrderlyExit("when asked to stop"),
        "one": Crash("when asked to stop"),
        "other": Crash("when asked to stop"),
    }
    async with open_supervisor("root", [dynamic_supervisor_child("dynamic")]) as root:
        dynamic = root.child("dynamic")
        assert isinstance(dynamic, DynamicSupervisorRef)
        for id_, error in last.items():
            end = partial(ends, error)
            await dynamic.start_child(task_child(id_, end, restart=restart))
        await settle()
    assert {crash.child for crash in root.crashes()} == {"one", "other"}
    assert [crash.reason.kind for crash in root.crashes()] == [ExitKind.CRASHED] * 2
    assert dynamic.exit_reason == SHUTDOWN


@pytest.mark.parametrize("after_a_crash", [False, True])
@pytest.mark.parametrize("how", ["terminated", "finished"])
async def test_a_child_that_is_gone_leaves_nothing_behind_without_the_garbage_collector(
    how: str, after_a_crash: bool, dynamic: DynamicSupervisorRef, stage: Stage
) -> None:
    """SUITE: do_not_save_start_parameters_for_temporary_children, simple_one_for_one_corruption.

    For the whole child. Not here: a temporary one's are kept while it runs, in its spec, which
    can be read.
    """
    if after_a_crash:
        await dynamic.start_child(stage.spec("first"))
        stage.crash("first")
        await settle()

    class Parameters:
        pass

    finish = trio.Event()

    async def idle(parameters: Parameters) -> None:
        await finish.wait()

    async def start() -> weakref.ref[Parameters]:
        parameters = Parameters()
        await dynamic.start_child(task_child("a", lambda: idle(parameters)))
        return weakref.ref(parameters)

    gc.collect()
    gc.disable()
    try:
        trace = await start()
        if how == "terminated":
            await dynamic.terminate_child("a")
        finish.set()
        await settle()
        assert trace() is None
    finally:
        gc.enable()
