"""Random trees, random ends and admin calls, with the scheduler's choices drawn as well."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable, Coroutine

import pytest
import trio
from hypothesis import event, given, settings
from hypothesis import strategies as st

from greenroom.supervisor import (
    AutoShutdown,
    ChildSpec,
    ChildState,
    DynamicSupervisorRef,
    Intensity,
    Restart,
    StaticSupervisorRef,
    Strategy,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.errors import RestartIntensityExceeded, StartFailed, SupervisorError
from greenroom.testing import STRAYS
from tests.supervisor.model import Group, Model, Node
from tests.supervisor.stage import Stage, settle

Act = tuple[str, str]
ODD = ["SystemExit", "GeneratorExit", "asyncio.CancelledError", "trio.Cancelled", "group"]
ODD += ["Unshowable", "ExitsWhenShown", "Unreadable"]
RAISES = {f"raise {kind}": kind for kind in ODD}
ENDS = {"crash": False, "finish": True, "shut_down": True, **dict.fromkeys(RAISES, False)}
DEEDS = [*ENDS, *["crash"] * 6, "finish", "shut_down"]
DEEDS += ["fail_next_starts", "terminate", "restart", "delete", "add"] * 2


def run_on_a_still_clock(play: Callable[[], Coroutine[object, object, None]]) -> None:
    trio.run(play, clock=trio.testing.MockClock())


# ---- step by step ----------------------------------------------------------------------------


@st.composite
def trees(draw: st.DrawFn) -> Group:
    """Up to three levels of supervisors of any strategy, with up to three members each."""
    ids = iter(string.ascii_lowercase + string.ascii_uppercase)

    def node(auto_shutdown: AutoShutdown, depth: int) -> Node:
        significant = auto_shutdown is not AutoShutdown.NEVER and draw(st.booleans())
        kinds = [Restart.TRANSIENT, Restart.TEMPORARY] if significant else list(Restart)
        restart = draw(st.sampled_from(kinds))
        if depth and draw(st.integers(0, 2)) == 0:
            return group(next(ids), restart, depth, significant)
        return Node(next(ids), restart, significant)

    def group(id_: str, restart: Restart, depth: int, significant: bool = False) -> Group:
        auto_shutdown = draw(st.sampled_from(AutoShutdown))
        return Group(
            id=id_,
            restart=restart,
            significant=significant,
            strategy=draw(st.sampled_from(Strategy)),
            budget=draw(st.integers(0, 4)),
            auto_shutdown=auto_shutdown,
            members=tuple(node(auto_shutdown, depth - 1) for _ in range(draw(st.integers(1, 3)))),
        )

    return group("root", Restart.PERMANENT, 3)


@st.composite
def plays(draw: st.DrawFn) -> tuple[Group, list[Act]]:
    root = draw(trees())
    ids = [node.id for _, node in root.walk()]
    acts = st.tuples(st.sampled_from(DEEDS), st.sampled_from(ids))
    return root, draw(st.lists(acts, max_size=12))


def spec_of(node: Node, stage: Stage) -> ChildSpec:
    if not isinstance(node, Group):
        return stage.spec(node.id, restart=node.restart, significant=node.significant)
    return supervisor_child(
        node.id,
        [spec_of(member, stage) for member in node.members],
        strategy=node.strategy,
        intensity=Intensity(node.budget, 5.0),
        auto_shutdown=node.auto_shutdown,
        restart=node.restart,
        significant=node.significant,
    )


def supervisor_of(id_: str, root: StaticSupervisorRef, model: Model) -> StaticSupervisorRef:
    group = model.groups[id_]
    if group is model.root:
        return root
    found = supervisor_of(group.id, root, model).child(group.id)
    assert isinstance(found, StaticSupervisorRef)
    return found


def finish(end: str, id_: str, stage: Stage) -> None:
    """Let a child end by itself."""
    if end in RAISES:
        stage.crash(id_, STRAYS[RAISES[end]]())
    else:
        getattr(stage, end)(id_)


async def act(deed: str, id_: str, root: StaticSupervisorRef, stage: Stage, model: Model) -> None:
    """Do it to the real tree, whatever it answers."""
    supervisor = supervisor_of(id_, root, model)
    with contextlib.suppress(SupervisorError):
        match deed:
            case "terminate":
                await supervisor.terminate_child(id_)
            case "restart":
                await supervisor.restart_child(id_)
            case "delete":
                await supervisor.delete_child(id_)
            case "add":
                await supervisor.start_child(spec_of(model.nodes[id_], stage))
            case end:
                finish(end, id_, stage)


def act_on_paper(deed: str, id_: str, model: Model) -> None:
    if deed in ENDS:
        model.ends(model.nodes[id_], orderly=ENDS[deed])
    else:
        getattr(model, deed)(id_)


def is_possible(deed: str, id_: str, model: Model) -> bool:
    """A worker that is up can end; a supervisor that is up can be called."""
    if not model.reachable(id_):
        return False
    node = model.nodes[id_]
    there = id_ in model.groups[id_].children
    return deed not in ENDS or (there and node.up and not isinstance(node, Group))


def check(group: Group, supervisor: StaticSupervisorRef) -> None:
    """The same children in the same order and state, the same budget, all the way down."""
    assert group.states() == supervisor.children()
    assert list(group.states()) == list(supervisor.children())
    assert group.left == supervisor.restart_budget
    for child in group.children.values():
        if isinstance(child, Group) and child.up:
            below = supervisor.child(child.id)
            assert isinstance(below, StaticSupervisorRef)
            check(child, below)


@pytest.mark.fault("D2", "S1", "S3")
@pytest.mark.requirement("R39")
@settings(max_examples=400, deadline=None)
@given(st.random_module(), plays())
def test_a_tree_does_what_the_manual_says_step_by_step(
    seed: object, drawn: tuple[Group, list[Act]]
) -> None:
    """supervisor(3) as a whole, written down as a plain model (`tests.supervisor.model`)."""
    tree, script = drawn
    stage, model = Stage(), Model(tree)
    assert model.start(tree)

    async def play() -> None:
        async with open_supervisor(
            "root",
            [spec_of(member, stage) for member in tree.members],
            strategy=tree.strategy,
            intensity=Intensity(tree.budget, 5.0),
            auto_shutdown=tree.auto_shutdown,
        ) as root:
            failures = len(script)
            for deed, id_ in script:
                if deed == "fail_next_starts":
                    stage.failing[id_] = model.failing[id_] = 2
                    stage.failing_by[id_] = STRAYS[ODD[failures % len(ODD)]]()
                    failures += 1
                elif tree.up and is_possible(deed, id_, model):
                    await act(deed, id_, root, stage, model)
                    act_on_paper(deed, id_, model)
                    with trio.CancelScope(shield=True):
                        await settle()
                assert " ".join(model.log) == " ".join(stage.log)
                assert tree.up == (root.exit_reason is None)
                if tree.up:
                    check(tree, root)
            await trio.lowlevel.checkpoint()

    try:
        run_on_a_still_clock(play)
    except RestartIntensityExceeded:
        assert model.gave_up
    else:
        assert not model.gave_up
    event("the root gave up" if model.gave_up else "the root shut down" if not tree.up else "calm")
    model.stop(tree)
    assert " ".join(model.log) == " ".join(stage.log)


@pytest.mark.fault("D2", "S1", "S3")
@pytest.mark.requirement("R39")
@settings(max_examples=150, deadline=None)
@given(
    st.random_module(),
    st.integers(0, 5),
    st.lists(st.sampled_from(Restart), min_size=4, max_size=4),
    st.lists(st.tuples(st.sampled_from([*ENDS, "fail", "terminate", "add"]), st.integers(0, 3))),
)
def test_a_dynamic_supervisor_keeps_those_alive_that_the_manual_says(
    seed: object, budget: int, kinds: list[Restart], script: list[tuple[str, int]]
) -> None:
    """supervisor(3), simple_one_for_one, and DynamicSupervisor, as a plain model."""
    stage = Stage()
    nodes = [Node(id_, kind) for id_, kind in zip("abcd", kinds, strict=True)]

    async def play() -> None:
        spec = dynamic_supervisor_child(
            "users", intensity=Intensity(budget, 5.0), restart=Restart.TEMPORARY
        )
        async with open_supervisor("root", [spec]) as root:
            users = root.child("users")
            assert isinstance(users, DynamicSupervisorRef)
            alive: dict[str, Restart] = {}
            left = budget
            for deed, number in script:
                node = nodes[number]
                if users.stopped:
                    break
                if deed == "fail":
                    stage.failing[node.id] = 1
                elif deed == "add":
                    fails = stage.failing[node.id] and node.id not in alive
                    with contextlib.suppress(SupervisorError):
                        await users.start_child(stage.spec(node.id, restart=node.restart))
                    if not fails:
                        alive[node.id] = node.restart
                elif node.id in alive and deed == "terminate":
                    await users.terminate_child(node.id)
                    del alive[node.id]
                elif node.id in alive:
                    if node.restarts_after(orderly=ENDS[deed]):
                        left -= 1 + bool(stage.failing[node.id])  # a failed try counts too
                    else:
                        del alive[node.id]
                    finish(deed, node.id, stage)
                await settle()
                assert users.stopped == (left < 0)
                if not users.stopped:
                    assert set(alive) == set(users.children())
                    assert left == users.restart_budget

    run_on_a_still_clock(play)
    lives = [entry[0] for entry in stage.log if entry[0] != "!"]
    assert lives.count("+") == lives.count("-")


# ---- all at once -----------------------------------------------------------------------------

IDS = "abcd"
acts = st.lists(st.tuples(st.sampled_from(DEEDS), st.sampled_from(IDS)), max_size=12)


def place_of(id_: str, root: StaticSupervisorRef) -> StaticSupervisorRef | None:
    """Whose child it is, if that one is there at the moment."""
    if id_ not in IDS[2:]:
        return root
    if root.children().get("inner") is not ChildState.RUNNING:
        return None
    inner = root.child("inner")
    assert isinstance(inner, StaticSupervisorRef)
    return inner


async def act_at_once(deed: str, id_: str, place: StaticSupervisorRef, stage: Stage) -> None:
    with contextlib.suppress(SupervisorError):
        match deed:
            case "fail_next_starts":
                stage.failing[id_] = 1
            case "terminate":
                await place.terminate_child(id_)
            case "restart":
                await place.restart_child(id_)
            case "delete":
                await place.delete_child(id_)
            case "add":
                await place.start_child(stage.spec(id_, restart=Restart.TRANSIENT))
            case end if place.children().get(id_) is ChildState.RUNNING:
                finish(end, id_, stage)


@pytest.mark.fault("D2", "S1", "S3")
@pytest.mark.requirement("R39")
@settings(max_examples=200, deadline=None)
@given(st.random_module(), st.sampled_from(Strategy), st.lists(acts, min_size=2, max_size=4))
def test_whatever_happens_at_once_lives_alternate_and_everyone_is_stopped_in_the_end(
    seed: object, strategy: Strategy, scripts: list[list[Act]]
) -> None:
    """supervisor(3), Supervision Principles, whatever the order of events."""
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
                await act_at_once(deed, id_, place, stage)

    with contextlib.suppress(RestartIntensityExceeded, StartFailed):
        run_on_a_still_clock(play)
    for id_ in IDS:
        lives = [entry[0] for entry in stage.log if entry[1] == id_ and entry[0] != "!"]
        assert lives == ["+", "-"] * (len(lives) // 2)
