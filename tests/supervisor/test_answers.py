"""The table of the guide: what supervisors of both kinds answer, call by call."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio

from greenroom.supervisor import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    ChildState,
    DynamicSupervisorRef,
    Intensity,
    Restart,
    StaticSupervisorRef,
    open_dynamic_supervisor,
    open_supervisor,
    task_child,
)
from greenroom.supervisor.errors import (
    AlreadyStarted,
    Ignore,
    InvalidChildSpec,
    RestartIntensityExceeded,
    StartFailed,
    SupervisorStopped,
    TooManyChildren,
)
from tests.supervisor.stage import Stage, settle

pytestmark = pytest.mark.fault("W7")

GUIDE = Path(__file__).parents[2] / "docs" / "supervision.md"
Supervisor = StaticSupervisorRef | DynamicSupervisorRef
SITUATIONS = ("running", "stopped", "restarting", "unknown")
LATER = Backoff(first=3600.0, limit=3600.0)
KINDS = [open_supervisor, open_dynamic_supervisor]
both_kinds = pytest.mark.parametrize("open_kind", KINDS, ids=["static", "dynamic"])


def cells() -> Iterator[tuple[str, str, str]]:
    """Call, situation and answer, as the guide has them."""
    text = GUIDE.read_text(encoding="utf-8").partition("## Admin calls and their answers")[2]
    for line in text.splitlines():
        if row := re.match(r"\| `(\w+)\((?:spec|id)\)` \|(.*)\|$", line):
            for situation, answer in zip(SITUATIONS, row[2].split("|"), strict=True):
                yield row[1], situation, answer.strip().strip("`")


def spec_of(stage: Stage) -> ChildSpec:
    return stage.spec("a", restart=Restart.PERMANENT, backoff=LATER)


async def bring_about(situation: str, supervisor: Supervisor, stage: Stage) -> None:
    if situation != "unknown":
        await supervisor.start_child(spec_of(stage))
    if situation == "stopped":
        await supervisor.terminate_child("a")
    elif situation == "restarting":
        stage.crash("a")
        await settle()
        assert supervisor.children() == {"a": ChildState.RESTARTING}


async def answer_to(call: str, supervisor: Supervisor, stage: Stage) -> str:
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "start_child": lambda: supervisor.start_child(spec_of(stage)),
        "terminate_child": lambda: supervisor.terminate_child("a"),
    }
    if isinstance(supervisor, StaticSupervisorRef):
        calls["restart_child"] = lambda: supervisor.restart_child("a")
        calls["delete_child"] = lambda: supervisor.delete_child("a")
    before = supervisor.children().get("a")
    try:
        await calls[call]()
    except Exception as refusal:  # noqa: BLE001  # its name is the answer
        return type(refusal).__name__
    after = supervisor.children().get("a")
    if after is ChildState.RUNNING:
        return "started"
    if call == "delete_child":
        return "forgotten" if after is None else "kept"
    words = {ChildState.RUNNING: "stopped", ChildState.RESTARTING: "stopped, restart called off"}
    return words.get(before, "nothing to do") if before is not None else "nothing to do"


@pytest.mark.skipif(not GUIDE.exists(), reason="the guide stands beside the tests")
@pytest.mark.parametrize(("call", "situation", "answer"), list(cells()) if GUIDE.exists() else [])
@both_kinds
async def test_every_call_is_answered_as_the_guide_says(
    open_kind: Callable[..., object], call: str, situation: str, answer: str, stage: Stage
) -> None:
    """supervisor(3), start_child/2, terminate_child/2, restart_child/2, delete_child/2."""
    if open_kind is open_dynamic_supervisor and situation == "stopped":
        situation, answer = "unknown", dict(_answers_to_unknown())[call]
    if open_kind is open_dynamic_supervisor and call in ("restart_child", "delete_child"):
        assert not hasattr(DynamicSupervisorRef, call)
        return
    async with open_kind("root") as root:  # type: ignore[attr-defined]  # one of the two
        await bring_about(situation, root, stage)
        assert await answer_to(call, root, stage) == answer


def _answers_to_unknown() -> Iterator[tuple[str, str]]:
    """A dynamic supervisor forgets what is stopped."""
    for call, situation, answer in cells():
        if situation == "unknown":
            yield call, answer


@both_kinds
async def test_once_it_has_ended_every_call_is_refused(
    open_kind: Callable[..., object], stage: Stage
) -> None:
    """supervisor(3): a call to a process that is no more exits with noproc."""
    async with open_kind("root") as root:  # type: ignore[attr-defined]  # one of the two
        await root.start_child(spec_of(stage))
    more = ("restart_child", "delete_child") if open_kind is open_supervisor else ()
    for call in ("start_child", "terminate_child", *more):
        assert await answer_to(call, root, stage) == SupervisorStopped.__name__


async def never_up(*, task_status: trio.TaskStatus[object]) -> None:
    await trio.sleep_forever()


async def declined(*, task_status: trio.TaskStatus[object]) -> None:
    raise Ignore


@both_kinds
async def test_a_start_that_is_declined_leaves_what_the_guide_says(
    open_kind: Callable[..., object],
) -> None:
    """supervisor(3), start_child/2: with ignore the child specification is kept."""
    async with open_kind("root") as root:  # type: ignore[attr-defined]  # one of the two
        assert await root.start_child(ChildSpec("a", declined)) is None
        kept = {"a": ChildState.STOPPED} if isinstance(root, StaticSupervisorRef) else {}
        assert root.children() == kept


async def test_a_child_of_a_dynamic_supervisor_that_is_coming_up_is_there() -> None:
    """DynamicSupervisor: children start in their own time. SUITE: child_adm_simple (beside it)."""
    outcomes: list[str] = []

    async def start(root: DynamicSupervisorRef) -> None:
        with pytest.raises(StartFailed):
            await root.start_child(ChildSpec("a", never_up))
        outcomes.append("its start failed")

    async with open_dynamic_supervisor("root") as root, trio.open_nursery() as nursery:
        nursery.start_soon(start, root)
        await settle()
        with pytest.raises(AlreadyStarted):
            await root.start_child(ChildSpec("a", never_up))
        await root.terminate_child("a")
        await settle()
        assert outcomes == ["its start failed"]


async def test_limits_and_significance_are_the_kinds_own() -> None:
    """supervisor(3), auto_shutdown; DynamicSupervisor, max_children."""
    significant = task_child("a", trio.sleep_forever, restart=Restart.TEMPORARY, significant=True)
    async with open_dynamic_supervisor("root", max_children=0) as root:
        with pytest.raises(InvalidChildSpec):
            await root.start_child(significant)
        with pytest.raises(TooManyChildren):
            await root.start_child(task_child("b", trio.sleep_forever))
    ends = AutoShutdown.ANY_SIGNIFICANT
    async with open_supervisor("root", auto_shutdown=ends) as static:
        await static.start_child(significant)


@pytest.mark.fault("W9")
async def test_a_dynamic_supervisor_may_be_the_root_of_a_tree(stage: Stage) -> None:
    """DynamicSupervisor, start_link/1."""
    async with open_dynamic_supervisor("root", max_children=2) as root:
        assert await root.start_child(stage.spec("a")) == "a1"
        await root.start_child(stage.spec("b", restart=Restart.TRANSIENT))
        assert (root.path, root.parent) == ("root", None)
        stage.crash("b")
        await settle()
        assert stage.take_log() == "+a +b -b +b"
    assert sorted(stage.take_log().split()) == ["-a", "-b"]
    assert root.exit_reason is not None


@pytest.mark.fault("W9")
async def test_a_dynamic_root_that_gives_up_ends_its_block(stage: Stage) -> None:
    """DynamicSupervisor, max_restarts."""

    async def give_up() -> None:
        async with open_dynamic_supervisor("root", intensity=Intensity(0, 1.0)) as root:
            await root.start_child(stage.spec("a", restart=Restart.PERMANENT))
            stage.crash("a")
            await trio.sleep_forever()

    with pytest.raises(RestartIntensityExceeded):
        await give_up()
