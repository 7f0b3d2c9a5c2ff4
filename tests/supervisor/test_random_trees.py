"""Random crashes and admin calls, with the scheduler's choices drawn as well."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.supervisor import (
    ChildState,
    Intensity,
    Restart,
    StaticSupervisorRef,
    Strategy,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.errors import RestartIntensityExceeded, StartFailed, SupervisorError
from tests.supervisor.model import Model
from tests.supervisor.stage import Stage, settle

IDS = "abcd"
restarts = st.fixed_dictionaries({id_: st.sampled_from(Restart) for id_ in IDS})
deeds = st.sampled_from(
    ["crash", "finish", "fail_next_start", "terminate", "restart", "delete", "start"]
)
acts = st.lists(st.tuples(deeds, st.sampled_from(IDS)), max_size=12)
Act = tuple[str, str]


def run_on_a_still_clock(play: Callable[[], Coroutine[object, object, None]]) -> None:
    trio.run(play, clock=trio.testing.MockClock())


async def act(deed: str, id_: str, root: StaticSupervisorRef, stage: Stage, kind: Restart) -> None:
    """Do it to the real supervisor, whatever it answers."""
    try:
        match deed:
            case "crash" | "finish":
                if root.children().get(id_) is ChildState.RUNNING:
                    getattr(stage, deed)(id_)
            case "fail_next_start":
                stage.failing[id_] = 1
            case "terminate":
                await root.terminate_child(id_)
            case "restart":
                await root.restart_child(id_)
            case "delete":
                await root.delete_child(id_)
            case "start":
                await root.start_child(stage.spec(id_, restart=kind))
    except SupervisorError:
        pass


def act_on_paper(deed: str, id_: str, model: Model) -> None:
    state = model.state.get(id_)
    match deed, state:
        case "crash" | "finish", ChildState.RUNNING:
            model.end(id_, crash=deed == "crash")
        case "fail_next_start", _:
            model.failing[id_] = 1
        case "terminate", ChildState():
            model.stop(id_)
            model.retire(id_)
        case "restart", ChildState.STOPPED:
            model.start(id_)
        case "delete", ChildState.STOPPED:
            del model.state[id_]
        case "start", None:
            model.start(id_)


@pytest.mark.requirement("R39")
@settings(max_examples=300, deadline=None)
@given(st.random_module(), st.sampled_from(Strategy), st.integers(0, 4), restarts, acts)
def test_a_supervisor_does_what_the_manual_says_step_by_step(
    seed: object, strategy: Strategy, budget: int, kinds: dict[str, Restart], script: list[Act]
) -> None:
    stage, model = Stage(), Model(strategy, budget, kinds)
    model.boot()

    async def play() -> None:
        specs = [stage.spec(id_, restart=kind) for id_, kind in kinds.items()]
        async with open_supervisor(
            "root", specs, strategy=strategy, intensity=Intensity(budget, 5.0)
        ) as root:
            for deed, id_ in script:
                if model.gave_up:
                    break
                act_on_paper(deed, id_, model)
                await act(deed, id_, root, stage, kinds[id_])
                with trio.CancelScope(shield=True):
                    await settle()
                assert " ".join(model.log) == " ".join(stage.log)
                if not model.gave_up:
                    assert model.state == root.children()
                    assert list(model.state) == list(root.children())
                    assert model.budget == root.restart_budget
            await trio.lowlevel.checkpoint()
        model.give_up()

    try:
        run_on_a_still_clock(play)
    except RestartIntensityExceeded:
        assert model.gave_up
    assert " ".join(model.log) == " ".join(stage.log)


def place_of(id_: str, root: StaticSupervisorRef) -> StaticSupervisorRef | None:
    """Whose child it is, if that one is there at the moment."""
    if id_ not in IDS[2:]:
        return root
    if root.children().get("inner") is not ChildState.RUNNING:
        return None
    inner = root.child("inner")
    assert isinstance(inner, StaticSupervisorRef)
    return inner


@pytest.mark.requirement("R39")
@settings(max_examples=200, deadline=None)
@given(st.random_module(), st.sampled_from(Strategy), st.lists(acts, min_size=2, max_size=4))
def test_whatever_happens_at_once_lives_alternate_and_everyone_is_stopped_in_the_end(
    seed: object, strategy: Strategy, scripts: list[list[Act]]
) -> None:
    stage = Stage()

    async def play() -> None:
        inner = supervisor_child(
            "inner", [stage.spec(id_) for id_ in IDS[2:]], intensity=Intensity(2, 5.0)
        )
        async with (
            open_supervisor(
                "root",
                [*(stage.spec(id_) for id_ in IDS[:2]), inner],
                strategy=strategy,
                intensity=Intensity(4, 5.0),
            ) as root,
            trio.open_nursery() as nursery,
        ):
            for script in scripts:
                nursery.start_soon(perform, script, root)

    async def perform(script: list[Act], root: StaticSupervisorRef) -> None:
        for deed, id_ in script:
            await trio.lowlevel.checkpoint()
            place = place_of(id_, root)
            if place is not None:
                await act(deed, id_, place, stage, Restart.TRANSIENT)

    with contextlib.suppress(RestartIntensityExceeded, StartFailed):
        run_on_a_still_clock(play)
    for id_ in IDS:
        lives = [entry[0] for entry in stage.log if entry[1] == id_ and entry[0] != "!"]
        assert lives == ["+", "-"] * (len(lives) // 2)
