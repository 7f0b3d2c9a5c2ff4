"""Automatic shutdown: supervisor(3), "Automatic Shutdown", and "significant"."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from greenroom.actors.exit import ExitKind
from greenroom.supervisor import (
    AutoShutdown,
    ChildState,
    DynamicSupervisor,
    DynamicSupervisorRef,
    Intensity,
    Restart,
    StaticSupervisorRef,
    Strategy,
    SupervisorRef,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.errors import InvalidChildSpec
from tests.supervisor.stage import Stage, kill, settle

pytestmark = pytest.mark.requirement("R39")
NEVER, ANY, ALL = AutoShutdown.NEVER, AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT
ENDS: dict[str, Callable[[Stage, SupervisorRef, str], None]] = {
    "normal": lambda stage, _, id_: stage.finish(id_),
    "shutdown": lambda stage, _, id_: stage.shut_down(id_),
    "abnormal": lambda stage, _, id_: stage.crash(id_),
    "killed": lambda _, supervisor, id_: kill(supervisor, id_),
}


def is_over(restart: Restart, end: str) -> bool:
    """The manual: a transient child's normal end, a temporary child's end of any kind."""
    return restart is Restart.TEMPORARY or end in ("normal", "shutdown")


@pytest.mark.parametrize("auto_shutdown", [ANY, ALL])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
async def test_the_end_of_a_significant_child_ends_its_supervisor_with_the_reason_shutdown(
    restart: Restart, end: str, auto_shutdown: AutoShutdown, stage: Stage
) -> None:
    """supervisor(3), any_significant: a transient one's normal, a temporary one's every end.

    SUITE: significant_transient, significant_temporary.
    """
    specs = [stage.spec("a"), stage.spec("s", restart=restart, significant=True)]
    inner = supervisor_child("inner", specs, auto_shutdown=auto_shutdown, restart=Restart.TRANSIENT)
    async with open_supervisor("root", [inner]) as root:
        supervisor = root.child("inner")
        assert isinstance(supervisor, StaticSupervisorRef)
        ENDS[end](stage, supervisor, "s")
        await settle()
        if is_over(restart, end):
            assert supervisor.exit_reason is not None
            assert supervisor.exit_reason.kind is ExitKind.SHUTDOWN
            assert stage.take_log() == "+a +s -s -a"
            assert root.children() == {"inner": ChildState.STOPPED}, "a shutdown restarts nobody"
        else:
            assert supervisor.exit_reason is None
            assert stage.take_log() == "+a +s -s +s"


@pytest.mark.parametrize("end", [*ENDS, "terminated"])
@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
@pytest.mark.parametrize("auto_shutdown", AutoShutdown)
async def test_the_end_of_any_other_child_ends_nothing(
    auto_shutdown: AutoShutdown, restart: Restart, end: str, stage: Stage
) -> None:
    """SUITE: nonsignificant_temporary, nonsignificant_transient."""
    specs = [stage.spec("a", restart=restart)]
    async with open_supervisor("root", specs, auto_shutdown=auto_shutdown) as root:
        if end == "terminated":
            await root.terminate_child("a")
        else:
            ENDS[end](stage, root, "a")
        await settle()
        assert root.exit_reason is None
        comes_back = end != "terminated" and not is_over(restart, end)
        assert root.count_children().active == comes_back


async def test_with_all_significant_the_last_active_one_decides(stage: Stage) -> None:
    """supervisor(3), all_significant: when the last active significant child terminates.

    SUITE: significant_temporary, significant_transient (all_significant parts).
    """
    specs = [
        stage.spec("plain"),
        stage.spec("s", restart=Restart.TRANSIENT, significant=True),
        stage.spec("t", restart=Restart.TEMPORARY, significant=True),
        stage.spec("u", restart=Restart.TRANSIENT, significant=True),
    ]
    async with open_supervisor("root", specs, auto_shutdown=ALL) as root:
        await root.terminate_child("u")
        stage.finish("s")
        await settle()
        assert root.exit_reason is None
        stage.crash("t")
        await settle()
        assert root.exit_reason is not None


async def test_with_all_significant_one_that_is_restarting_is_active(stage: Stage) -> None:
    """supervisor.erl, do_auto_shutdown/2: only a child without a pid is not active."""
    from greenroom.supervisor import Backoff

    specs = [
        stage.spec("s", restart=Restart.TRANSIENT, significant=True),
        stage.spec(
            "t", restart=Restart.TRANSIENT, significant=True, backoff=Backoff(9.0, 9.0, jitter=0)
        ),
    ]
    async with open_supervisor("root", specs, auto_shutdown=ALL) as root:
        stage.crash("t")
        await settle()
        stage.finish("s")
        await settle()
        assert root.exit_reason is None


async def test_a_significant_child_that_is_stopped_by_hand_ends_nothing(stage: Stage) -> None:
    """OTP Design Principles, Automatic Shutdown: only children that end by themselves count."""
    specs = [stage.spec("s", restart=Restart.TRANSIENT, significant=True)]
    async with open_supervisor("root", specs, auto_shutdown=ANY) as root:
        await root.terminate_child("s")
        await settle()
        assert root.exit_reason is None


@pytest.mark.parametrize("auto_shutdown", [ANY, ALL])
@pytest.mark.parametrize("strategy", Strategy)
async def test_a_significant_child_that_falls_with_its_group_ends_nothing(
    strategy: Strategy, auto_shutdown: AutoShutdown, stage: Stage
) -> None:
    """OTP Design Principles, Automatic Shutdown. SUITE: significant_bystander."""
    specs = [
        stage.spec("s", restart=Restart.TRANSIENT, significant=True),
        stage.spec("a"),
        stage.spec("t", restart=Restart.TEMPORARY, significant=True),
        stage.spec("u", restart=Restart.TRANSIENT, significant=True),
    ]
    async with open_supervisor(
        "root", specs, strategy=strategy, auto_shutdown=auto_shutdown
    ) as root:
        stage.crash("a")
        await settle()
        assert root.exit_reason is None
        gone = set() if strategy is Strategy.ONE_FOR_ONE else {"t"}
        assert set(root.children()) == set("satu") - gone
        assert root.count_children().active == len(root.children())


@pytest.mark.parametrize(
    ("last", "significant", "levels"), [("s", True, 2), ("s", False, 1), ("plain", True, 0)]
)
async def test_a_supervisor_may_be_significant_itself(
    last: str, significant: bool, levels: int, stage: Stage
) -> None:
    """OTP Design Principles, Automatic Shutdown: it spreads up. SUITE: significant_escalation."""
    inner = supervisor_child(
        "inner",
        [
            stage.spec("plain", restart=Restart.TRANSIENT),
            stage.spec("s", restart=Restart.TRANSIENT, significant=True),
        ],
        auto_shutdown=ANY,
        restart=Restart.TRANSIENT,
        significant=significant,
    )
    async with open_supervisor("root", [inner], auto_shutdown=ANY) as root:
        supervisor = root.child("inner")
        assert isinstance(supervisor, StaticSupervisorRef)
        stage.finish(last)
        await settle()
        ended = [each for each in (supervisor, root) if each.exit_reason is not None]
        assert levels == len(ended)


async def test_a_significant_supervisor_that_gives_up_has_shut_down_too(stage: Stage) -> None:
    """supervisor(3), Restart intensity and period (shutdown) with any_significant."""
    inner = supervisor_child(
        "inner",
        [stage.spec("a")],
        intensity=Intensity(0, 5.0),
        restart=Restart.TRANSIENT,
        significant=True,
    )
    async with open_supervisor("root", [inner], auto_shutdown=ANY) as root:
        stage.crash("a")
        await settle()
        assert root.exit_reason is not None


@pytest.mark.parametrize(
    ("restart", "auto_shutdown"),
    [(Restart.TRANSIENT, NEVER), (Restart.TEMPORARY, NEVER), (None, ANY)],
)
async def test_significance_that_cannot_mean_anything_is_refused(
    restart: Restart | None, auto_shutdown: AutoShutdown, stage: Stage
) -> None:
    """supervisor(3), significant: invalid when permanent, or when auto_shutdown is never."""
    spec = stage.spec("s", restart=restart, significant=True)
    with pytest.raises(InvalidChildSpec, match="significant"):
        async with open_supervisor("root", [spec], auto_shutdown=auto_shutdown):
            pytest.fail("the block must not be entered")


async def test_under_a_dynamic_supervisor_nobody_is_significant(stage: Stage) -> None:
    """DynamicSupervisor refuses it too. SUITE: significant_simple."""
    with pytest.raises(TypeError, match="auto_shutdown"):
        DynamicSupervisor("users", auto_shutdown=ANY)  # type: ignore[call-arg]  # what is refused
    async with open_supervisor("root", [dynamic_supervisor_child("users")]) as root:
        users = root.child("users")
        assert isinstance(users, DynamicSupervisorRef)
        for restart in (Restart.TRANSIENT, Restart.TEMPORARY):
            with pytest.raises(InvalidChildSpec, match="significant"):
                await users.start_child(stage.spec("s", restart=restart, significant=True))
        assert not users.children()


@pytest.mark.parametrize("new", [ANY, ALL])
async def test_significant_children_can_be_started_once_auto_shutdown_is_not_never_any_more(
    new: AutoShutdown, stage: Stage
) -> None:
    """SUITE: significant_upgrade_never_any, significant_upgrade_never_all."""
    s, t = (stage.spec(id_, restart=Restart.TRANSIENT, significant=True) for id_ in "st")
    async with open_supervisor("root", [], auto_shutdown=NEVER) as root:
        with pytest.raises(InvalidChildSpec, match="NEVER"):
            await root.start_child(s)
        await root.change_specs([], auto_shutdown=new)
        await root.start_child(s)
        await root.start_child(t)
        await ends_with(root, stage, new)


@pytest.mark.parametrize(("old", "new"), [(ANY, ALL), (ALL, ANY)])
async def test_a_changed_auto_shutdown_holds_for_the_children_that_are_there(
    old: AutoShutdown, new: AutoShutdown, stage: Stage
) -> None:
    """SUITE: significant_upgrade_any_all, significant_upgrade_all_any."""
    specs = [stage.spec(id_, restart=Restart.TRANSIENT, significant=True) for id_ in "st"]
    async with open_supervisor("root", specs, auto_shutdown=old) as root:
        await root.change_specs([], auto_shutdown=new)
        assert root.count_children().active == 2
        await ends_with(root, stage, new)


async def ends_with(root: SupervisorRef, stage: Stage, auto_shutdown: AutoShutdown) -> None:
    """The significant children `s` and `t` end, and the root with the first or the last."""
    stage.finish("s")
    await settle()
    assert (root.exit_reason is not None) == (auto_shutdown is ANY)
    if auto_shutdown is ALL:
        stage.finish("t")
        await settle()
        assert root.exit_reason is not None


async def test_a_child_that_is_significant_no_more_ends_nothing(stage: Stage) -> None:
    """SUITE: significant_upgrade_child."""
    s = stage.spec("s", restart=Restart.TRANSIENT, significant=True)
    async with open_supervisor("root", [s], auto_shutdown=ANY) as root:
        await root.change_specs([stage.spec("s", restart=Restart.TRANSIENT)])
        stage.finish("s")
        await settle()
        assert root.exit_reason is None


@pytest.mark.parametrize("old", AutoShutdown)
@pytest.mark.parametrize("new", AutoShutdown)
async def test_children_and_auto_shutdown_can_be_changed_at_once(
    old: AutoShutdown, new: AutoShutdown, stage: Stage
) -> None:
    """supervisor.erl, code_change/3. SUITE: significant_upgrade_child."""
    significant = new is not NEVER
    before = [stage.spec(id_, restart=Restart.TRANSIENT) for id_ in "st"]
    after = [stage.spec(id_, restart=Restart.TRANSIENT, significant=significant) for id_ in "st"]
    async with open_supervisor("root", before, auto_shutdown=old) as root:
        await root.change_specs(after, auto_shutdown=new)
        await ends_with(root, stage, new)


@pytest.mark.parametrize("old", [ANY, ALL])
async def test_with_never_children_that_were_significant_before_end_nothing(
    old: AutoShutdown, stage: Stage
) -> None:
    """SUITE: significant_upgrade_any_never, significant_upgrade_all_never."""
    s, t = (stage.spec(id_, restart=Restart.TRANSIENT, significant=True) for id_ in "st")
    async with open_supervisor("root", [s], auto_shutdown=old) as root:
        await root.change_specs([], auto_shutdown=NEVER)
        with pytest.raises(InvalidChildSpec, match="NEVER"):
            await root.start_child(t)
        stage.finish("s")
        await settle()
        assert root.exit_reason is None
        await root.restart_child("s")
        assert root.children() == {"s": ChildState.RUNNING}
