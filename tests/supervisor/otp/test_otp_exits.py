"""Which ends lead to which restarts: supervisor(3), "restart" and "Restart Strategies"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.errors import OrderlyExit
from greenroom.actors.exit import ExitKind
from greenroom.actors.ref import Ref
from greenroom.supervisor import (
    ChildState,
    Intensity,
    Restart,
    Strategy,
    SupervisorRef,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef
from greenroom.supervisor.errors import InvalidChildSpec
from tests.supervisor.stage import Stage, kill, settle

pytestmark = pytest.mark.requirement("R39")

ENDS: dict[str, Callable[[Stage, SupervisorRef], None]] = {
    "normal": lambda stage, _: stage.finish("b"),
    "shutdown": lambda stage, _: stage.shut_down("b"),
    "abnormal": lambda stage, _: stage.crash("b"),
    "killed": lambda _, supervisor: kill(supervisor, "b"),
}
ABNORMAL = {"abnormal", "killed"}
AFTER_RESTART = {
    Strategy.ONE_FOR_ONE: "-b +b",
    Strategy.ONE_FOR_ALL: "-b -c -a +a +b +c",
    Strategy.REST_FOR_ONE: "-b -c +b +c",
}


def restarts(restart: Restart, end: str) -> bool:
    """The manual's sentence on `restart`, as a formula."""
    return restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and end in ABNORMAL)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("strategy", Strategy)
async def test_who_restarts_is_the_strategys_and_whether_is_the_restart_types_to_say(
    strategy: Strategy, restart: Restart, end: str, stage: Stage
) -> None:
    """supervisor(3), restart: permanent always, transient after an abnormal end, temporary never.

    SUITE: permanent_normal, permanent_shutdown, permanent_abnormal, transient_normal,
    transient_shutdown, transient_abnormal, temporary_normal, temporary_shutdown,
    temporary_abnormal, one_for_one, one_for_all, rest_for_one,
    do_not_save_child_specs_for_temporary_children.
    """
    specs = [stage.spec("a"), stage.spec("b", restart=restart), stage.spec("c")]
    async with open_supervisor("root", specs, strategy=strategy) as root:
        stage.take_log()
        ENDS[end](stage, root)
        await settle()
        expected = AFTER_RESTART[strategy] if restarts(restart, end) else "-b"
        assert expected == stage.take_log()
        kept = {"a", "c"} if restart is Restart.TEMPORARY else {"a", "b", "c"}
        assert kept == set(root.children())
        state = ChildState.RUNNING if restarts(restart, end) else ChildState.STOPPED
        assert root.children().get("b", state) is state


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("restart", Restart)
async def test_under_a_dynamic_supervisor_what_is_not_restarted_is_forgotten(
    restart: Restart, end: str, stage: Stage
) -> None:
    """supervisor(3), simple_one_for_one, and DynamicSupervisor. SUITE: simple_one_for_one."""
    async with open_supervisor("root", [dynamic_supervisor_child("dynamic")]) as root:
        dynamic = root.child("dynamic")
        assert isinstance(dynamic, DynamicSupervisorRef)
        for id_ in "abc":
            await dynamic.start_child(stage.spec(id_, restart=restart))
        stage.take_log()
        ENDS[end](stage, dynamic)
        await settle()
        assert stage.take_log() == ("-b +b" if restarts(restart, end) else "-b")
        assert ("b" in dynamic.children()) == restarts(restart, end)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("restart", Restart)
async def test_what_is_reported_is_every_end_but_those_that_were_to_be_expected(
    restart: Restart, end: str, stage: Stage
) -> None:
    """supervisor.erl, do_restart/3: each abnormal end, and each of a permanent child."""
    async with open_supervisor("root", [stage.spec("b", restart=restart)]) as root:
        ENDS[end](stage, root)
        await settle()
        expected = end in ABNORMAL or restart is Restart.PERMANENT
        assert expected == bool(root.crashes())


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_temporary_child_that_falls_with_its_group_stays_down_and_is_forgotten(
    strategy: Strategy, stage: Stage
) -> None:
    """supervisor(3), restart: temporary is never restarted, even when a sibling's death ended it.

    SUITE: temporary_bystander, do_not_save_child_specs_for_temporary_children.
    """
    specs = [stage.spec("a"), stage.spec("b", restart=Restart.TEMPORARY), stage.spec("c")]
    async with open_supervisor("root", specs, strategy=strategy) as root:
        stage.take_log()
        stage.crash("a")
        await settle()
        assert stage.take_log() == "-a -c -b +a +c"
        assert list(root.children()) == ["a", "c"]
        await root.start_child(stage.spec("b", restart=Restart.TEMPORARY))


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_when_another_of_the_group_fails_to_restart_that_one_is_tried_again(
    strategy: Strategy, stage: Stage
) -> None:
    """SUITE: one_for_all_other_child_fails_restart, rest_for_one_other_child_fails_restart."""
    specs = [stage.spec(id_) for id_ in "abcd"]
    async with open_supervisor("root", specs, strategy=strategy) as root:
        stage.take_log()
        stage.failing["c"] = 1
        stage.crash("b")
        await settle()
        rest = {
            Strategy.ONE_FOR_ALL: "-b -d -c -a +a +b !c -b -a +a +b +c +d",
            Strategy.REST_FOR_ONE: "-b -d -c +b !c +c +d",
        }
        assert rest[strategy] == stage.take_log()
        assert root.restart_budget == 1, "the crash and the failed try were counted"


@asynccontextmanager
async def bears_two(
    strategy: Strategy | None, stage: Stage
) -> AsyncIterator[tuple[SupervisorRef, SupervisorRef]]:
    """A root, and a supervisor below it whose children `a` and `b` may restart twice in all."""
    twice = Intensity(2, 3600.0)
    specs = [stage.spec(id_, restart=Restart.PERMANENT) for id_ in "ab"]
    inner = (
        supervisor_child(
            "inner", specs, strategy=strategy, intensity=twice, restart=Restart.TEMPORARY
        )
        if strategy
        else dynamic_supervisor_child("inner", intensity=twice, restart=Restart.TEMPORARY)
    )
    async with open_supervisor("root", [inner]) as root:
        supervisor = root.child("inner")
        assert isinstance(supervisor, SupervisorRef)
        if isinstance(supervisor, DynamicSupervisorRef):
            for spec in specs:
                await supervisor.start_child(spec)
        stage.take_log()
        yield root, supervisor


@pytest.mark.parametrize("strategy", [*Strategy, None])
async def test_more_restarts_than_the_intensity_bears_end_all_children_and_then_the_supervisor(
    strategy: Strategy | None, stage: Stage
) -> None:
    """supervisor(3), Restart intensity and period: more than MaxR within MaxT, reason shutdown.

    SUITE: one_for_one, one_for_all, rest_for_one, simple_one_for_one.
    """
    async with bears_two(strategy, stage) as (root, supervisor):
        for _ in range(2):
            stage.crash("a")
            await settle()
        assert supervisor.exit_reason is None
        stage.take_log()
        stage.crash("a")
        reason = await supervisor.wait_stopped()
        await settle()
        assert reason.kind is ExitKind.SHUTDOWN
        assert stage.take_log() == "-a -b"
        assert "inner" not in root.children()
        assert root.crashes()[-1].child == "inner", "giving up is reported, whatever the reason"


@pytest.mark.parametrize("strategy", [*Strategy, None])
async def test_a_child_that_never_comes_up_again_ends_all_children_and_then_the_supervisor(
    strategy: Strategy | None, stage: Stage
) -> None:
    """supervisor.erl, restart/2: what fails to restart is tried until the intensity is reached.

    SUITE: one_for_one_escalation, one_for_all_escalation, rest_for_one_escalation,
    simple_one_for_one_escalation.
    """
    async with bears_two(strategy, stage) as (root, supervisor):
        stage.failing["a"] = 1_000_000
        stage.crash("a")
        assert (await supervisor.wait_stopped()).kind is ExitKind.SHUTDOWN
        await settle()
        with_a_group = strategy in (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE)
        assert stage.take_log() == ("-a -b !a !a" if with_a_group else "-a !a !a -b")
        assert "inner" not in root.children()


@pytest.mark.parametrize(
    ("restart", "comes_back"),
    [(Restart.PERMANENT, True), (Restart.TRANSIENT, False), (Restart.TEMPORARY, False)],
)
async def test_a_supervisor_that_gave_up_has_shut_down_so_only_a_permanent_one_restarts(
    restart: Restart, comes_back: bool, stage: Stage
) -> None:
    """supervisor(3), Restart intensity and period (shutdown), and restart (transient)."""
    inner = supervisor_child(
        "inner", [stage.spec("a")], intensity=Intensity(0, 5.0), restart=restart
    )
    async with open_supervisor("root", [inner]):
        stage.crash("a")
        await settle()
        assert stage.take_log() == ("+a -a +a" if comes_back else "+a -a")


async def test_a_window_that_has_passed_forgives(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """supervisor(3), Restart intensity and period: within MaxT. SUITE: multiple_restarts."""
    async with open_supervisor("root", [stage.spec("a")], intensity=Intensity(1, 5.0)) as root:
        for _ in range(5):
            stage.crash("a")
            await trio.sleep(5.1)
        assert root.exit_reason is None


async def test_an_actor_ends_in_order_when_it_says_so_and_tells_why(stage: Stage) -> None:
    """supervisor(3), restart: {shutdown, Term} is no abnormal end. SUITE: transient_shutdown."""

    class Retiring(Actor[str]):
        async def receive(self, message: str) -> None:
            raise OrderlyExit(message)

    spec = actor_child("a", Retiring, restart=Restart.TRANSIENT)
    async with open_supervisor("root", [spec]) as root:
        ref = root.child("a")
        assert isinstance(ref, Ref)
        ref.tell("old enough")
        reason = await ref.wait_stopped()
        assert (reason.kind, str(reason.error)) == (ExitKind.SHUTDOWN, "old enough")
        await settle()
        assert root.children() == {"a": ChildState.STOPPED}
        assert root.crashes() == ()


def test_intensity_zero_bears_nothing_and_the_period_is_a_time() -> None:
    """supervisor.erl, sup_flags(): intensity is 0 or more, period above 0."""
    assert Intensity(0, 1.0).restarts == 0
    with pytest.raises(InvalidChildSpec):
        Intensity(0, 0.0)
