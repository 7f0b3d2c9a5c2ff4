"""Automatic shutdown: supervisor(3), "Automatic Shutdown", and "significant"."""

from __future__ import annotations

import pytest

from greenroom.actors.exit import ExitKind
from greenroom.supervisor import (
    AutoShutdown,
    ChildState,
    Intensity,
    Restart,
    StaticSupervisorRef,
    Strategy,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.errors import InvalidChildSpec
from tests.supervisor.stage import Stage, settle

pytestmark = pytest.mark.requirement("R39")
NEVER, ANY, ALL = AutoShutdown.NEVER, AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT
ENDS = ["finish", "shut_down", "crash"]


def is_over(restart: Restart, end: str) -> bool:
    """The manual: a transient child's normal end, a temporary child's end of any kind."""
    return restart is Restart.TEMPORARY or end != "crash"


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
        getattr(stage, end)("s")
        await settle()
        if is_over(restart, end):
            assert supervisor.exit_reason is not None
            assert supervisor.exit_reason.kind is ExitKind.SHUTDOWN
            assert stage.take_log() == "+a +s -s -a"
            assert root.children() == {"inner": ChildState.STOPPED}, "a shutdown restarts nobody"
        else:
            assert supervisor.exit_reason is None
            assert stage.take_log() == "+a +s -s +s"


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
@pytest.mark.parametrize("auto_shutdown", AutoShutdown)
async def test_the_end_of_any_other_child_ends_nothing(
    auto_shutdown: AutoShutdown, restart: Restart, stage: Stage
) -> None:
    """SUITE: nonsignificant_temporary, nonsignificant_transient."""
    specs = [stage.spec("a", restart=restart)]
    async with open_supervisor("root", specs, auto_shutdown=auto_shutdown) as root:
        stage.finish("a")
        await settle()
        assert root.exit_reason is None


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


async def test_a_significant_child_that_falls_with_its_group_ends_nothing(stage: Stage) -> None:
    """OTP Design Principles, Automatic Shutdown. SUITE: significant_bystander."""
    specs = [
        stage.spec("a"),
        stage.spec("s", restart=Restart.TEMPORARY, significant=True),
        stage.spec("t", restart=Restart.TRANSIENT, significant=True),
    ]
    async with open_supervisor(
        "root", specs, strategy=Strategy.ONE_FOR_ALL, auto_shutdown=ANY
    ) as root:
        stage.crash("a")
        await settle()
        assert root.exit_reason is None
        assert list(root.children()) == ["a", "t"]


@pytest.mark.parametrize(("last", "levels"), [("s", 2), ("plain", 0)])
async def test_a_supervisor_may_be_significant_itself(last: str, levels: int, stage: Stage) -> None:
    """OTP Design Principles, Automatic Shutdown: it spreads up. SUITE: significant_escalation."""
    inner = supervisor_child(
        "inner",
        [
            stage.spec("plain", restart=Restart.TRANSIENT),
            stage.spec("s", restart=Restart.TRANSIENT, significant=True),
        ],
        auto_shutdown=ANY,
        restart=Restart.TRANSIENT,
        significant=True,
    )
    async with open_supervisor("root", [inner], auto_shutdown=ANY) as root:
        supervisor = root.child("inner")
        assert isinstance(supervisor, StaticSupervisorRef)
        stage.finish(last)
        await settle()
        ended = [each for each in (supervisor, root) if each.exit_reason is not None]
        assert levels == len(ended)


async def test_a_significant_supervisor_that_gives_up_has_shut_down_too(stage: Stage) -> None:
    """supervisor(3), Restart intensity with any_significant. SUITE: significant_escalation."""
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
    """supervisor(3), significant: invalid when permanent, or when auto_shutdown is never.

    SUITE: significant_simple (dynamic children are never significant here).
    """
    spec = stage.spec("s", restart=restart, significant=True)
    with pytest.raises(InvalidChildSpec, match="significant"):
        async with open_supervisor("root", [spec], auto_shutdown=auto_shutdown):
            pytest.fail("the block must not be entered")


@pytest.mark.parametrize("old", AutoShutdown)
@pytest.mark.parametrize("new", AutoShutdown)
async def test_auto_shutdown_can_be_changed_as_far_as_the_children_allow(
    old: AutoShutdown, new: AutoShutdown, stage: Stage
) -> None:
    """SUITE: significant_upgrade_never_any, significant_upgrade_any_never,
    significant_upgrade_never_all, significant_upgrade_all_never, significant_upgrade_any_all,
    significant_upgrade_all_any.
    """
    significant = new is not NEVER
    before = [stage.spec(id_, restart=Restart.TRANSIENT) for id_ in "st"]
    after = [stage.spec(id_, restart=Restart.TRANSIENT, significant=significant) for id_ in "st"]
    async with open_supervisor("root", before, auto_shutdown=old) as root:
        await root.change_specs(after, auto_shutdown=new)
        stage.finish("s")
        await settle()
        assert (root.exit_reason is not None) == (new is ANY)
        if new is ALL:
            stage.finish("t")
            await settle()
            assert root.exit_reason is not None


async def test_with_never_children_that_were_significant_before_end_nothing(stage: Stage) -> None:
    """supervisor(3), never: it is disabled. SUITE: significant_upgrade_all_never."""
    specs = [stage.spec("s", restart=Restart.TRANSIENT, significant=True)]
    async with open_supervisor("root", specs, auto_shutdown=ALL) as root:
        await root.change_specs([], auto_shutdown=NEVER)
        stage.finish("s")
        await settle()
        assert root.exit_reason is None
