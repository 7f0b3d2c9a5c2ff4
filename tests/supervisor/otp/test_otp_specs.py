"""Flags and specs: supervisor(3), "Supervisor flags", "Child specification", check_childspecs."""

from __future__ import annotations

import math

import pytest

from greenroom.actors.actor import Actor
from greenroom.supervisor import (
    AutoShutdown,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Restart,
    Shutdown,
    Strategy,
    Supervisor,
    actor_child,
    check_child_specs,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.errors import InvalidChildSpec, NoSuchChild, StartFailed
from tests.supervisor.stage import Stage

pytestmark = pytest.mark.requirement("R39")


def test_the_flags_are_optional() -> None:
    """supervisor(3), Supervisor flags: one_for_one, auto_shutdown never. SUITE: sup_start_map.

    The intensity is Elixir's, 3 in 5 seconds, where OTP says 1: see the decisions.
    """
    supervisor = Supervisor("root")
    assert supervisor.strategy is Strategy.ONE_FOR_ONE
    assert supervisor.auto_shutdown is AutoShutdown.NEVER
    assert supervisor.intensity == Intensity(3, 5.0)
    assert math.isinf(DynamicSupervisor("users").max_children)


@pytest.mark.parametrize(
    "flags",
    [
        {"strategy": "none_for_one"},
        {"strategy": "one_for_one"},
        {"intensity": 2},
        {"intensity": None},
        {"auto_shutdown": "sometimes"},
        {"name": ""},
        {"name": None},
        {"children": ("hej",)},
    ],
)
def test_flags_that_are_none_are_refused(flags: dict[str, object]) -> None:
    """supervisor.erl, check_flags/1. SUITE: sup_flags, sup_start_error_return.

    What init returned there is what a supervisor is made of here.
    """
    with pytest.raises(InvalidChildSpec):
        Supervisor(**{"name": "root", **flags})  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(
    ("restarts", "period"),
    [(-1, 5), (math.inf, 5), ("1", 5), (True, 5), (1, 0), (1, -1), (1, math.inf), (1, math.nan)],
)
def test_an_intensity_that_is_no_number_of_restarts_in_a_time_is_refused(
    restarts: int, period: float
) -> None:
    """SUITE: sup_flags (invalid_intensity, invalid_period)."""
    with pytest.raises(InvalidChildSpec):
        Intensity(restarts, period)


@pytest.mark.parametrize("children", [-1, "many", math.nan])
def test_max_children_is_a_number_or_infinity(children: float) -> None:
    """DynamicSupervisor, start_link/1, :max_children."""
    with pytest.raises(InvalidChildSpec):
        DynamicSupervisor("users", max_children=children)


async def test_a_spec_read_back_has_all_its_defaults(stage: Stage) -> None:
    """supervisor(3), get_childspec/2: all keys, mandatory and optional. SUITE: sup_start_map."""
    start = stage.spec("x").start
    specs = [
        ChildSpec("worker", start),
        ChildSpec("brutal", start, shutdown=Shutdown.BRUTAL_KILL),
        ChildSpec("supervisor", start, kind="supervisor"),
    ]
    async with open_supervisor("root", specs) as root:
        worker = root.get_child_spec("worker")
        assert worker.restart is None, "the supervisor's default"
        assert root.default_restart is Restart.PERMANENT
        assert (worker.shutdown, worker.kind, worker.significant) == (5.0, "worker", False)
        assert root.get_child_spec("brutal").shutdown is Shutdown.BRUTAL_KILL
        assert root.get_child_spec("supervisor").shutdown is Shutdown.INFINITY
        with pytest.raises(NoSuchChild):
            root.get_child_spec("child4")


def test_the_makers_of_specs_keep_to_the_defaults() -> None:
    """supervisor(3), shutdown: 5000 for workers, infinity for supervisors."""
    assert actor_child("a", Actor[str]).shutdown == 5.0
    assert supervisor_child("s", []).shutdown is Shutdown.INFINITY
    assert dynamic_supervisor_child("d").shutdown is Shutdown.INFINITY
    assert {supervisor_child("s", []).kind, dynamic_supervisor_child("d").kind} == {"supervisor"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": None},
        {"start": "mfa"},
        {"start": None},
        {"restart": "prmanent"},
        {"restart": "permanent"},
        {"shutdown": -10},
        {"shutdown": "soon"},
        {"shutdown": True},
        {"shutdown": math.nan},
        {"kind": "wrker"},
        {"significant": "maybe"},
        {"backoff": 5.0},
        {"significant": True, "restart": Restart.PERMANENT},
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(wrong: dict[str, object], stage: Stage) -> None:
    """supervisor(3), Child specification. SUITE: child_specs, child_specs_map."""
    right = {"id": "a", "start": stage.spec("a").start}
    with pytest.raises(InvalidChildSpec, match="child"):
        ChildSpec(**{**right, **wrong})  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"factory": Actor()}, ".*factory.* not <greenroom"),
        ({"factory": "Actor"}, ".*factory.* not 'Actor'"),
        ({"record": -1}, ".*record.* not -1"),
        ({"record": "all"}, ".*record.* not 'all'"),
        ({"mailbox": "kept"}, ".*mailbox.* not 'kept'"),
        ({"backoff": 1}, ".*backoff.* not 1"),
    ],
)
def test_a_spec_of_an_actor_that_makes_no_sense_is_refused(
    wrong: dict[str, object], words: str
) -> None:
    """supervisor(3), Child specification: what start_link could never start is refused before."""
    with pytest.raises(InvalidChildSpec, match=f"child 'a': {words}"):
        actor_child(**{"id": "a", "factory": Actor, **wrong})  # type: ignore[arg-type]  # refused


def test_a_function_that_was_called_already_is_no_task() -> None:
    """Beyond OTP: it could be started once, and every restart would fail."""

    async def clock() -> None: ...

    called = clock()
    with pytest.raises(
        InvalidChildSpec, match="must be an async function, not <coroutine"
    ) as refused:
        task_child("clock", called)  # type: ignore[arg-type]  # refused
    assert "functools.partial" in refused.value.advice
    called.close()


@pytest.mark.parametrize("made", [5, None, Actor])
async def test_a_factory_that_makes_no_actor_fails_the_start_and_is_named(made: object) -> None:
    """supervisor(3), start_link: what returns no {ok, Child} is a failed start."""
    with pytest.raises(StartFailed) as failure:
        async with open_supervisor("root", [actor_child("a", lambda: made)]):  # type: ignore[arg-type, return-value]  # refused
            pytest.fail("the block must not be entered")
    assert isinstance(failure.value.__cause__, InvalidChildSpec)
    assert str(failure.value.__cause__).startswith("child 'a': its factory")
    assert repr(made) in str(failure.value.__cause__)


def test_any_shutdown_time_goes_with_any_kind(stage: Stage) -> None:
    """supervisor(3), shutdown: infinity is allowed for a worker.

    SUITE: child_specs, child_specs_map.
    """
    start = stage.spec("a").start
    for shutdown in (Shutdown.INFINITY, Shutdown.BRUTAL_KILL, 1, 0.5, 0):
        ChildSpec("a", start, shutdown=shutdown)
        ChildSpec("a", start, shutdown=shutdown, kind="supervisor")


def test_a_time_is_in_seconds_and_two_words_stand_for_the_extremes(stage: Stage) -> None:
    """supervisor(3), shutdown: brutal_kill, a time (there in ms), infinity."""
    times = [Shutdown.BRUTAL_KILL, 2.5, Shutdown.INFINITY]
    assert [stage.spec("a", shutdown=time).grace for time in times] == [0.0, 2.5, math.inf]


def test_specs_can_be_checked_without_a_supervisor(stage: Stage) -> None:
    """supervisor(3), check_childspecs/1 and /2. SUITE: child_specs (duplicate_child_name)."""
    significant = stage.spec("s", restart=Restart.TRANSIENT, significant=True)
    check_child_specs([stage.spec("a"), significant])
    check_child_specs([significant], AutoShutdown.ANY_SIGNIFICANT)
    with pytest.raises(InvalidChildSpec, match="auto_shutdown=NEVER"):
        check_child_specs([significant], AutoShutdown.NEVER)
    with pytest.raises(InvalidChildSpec, match="two children named 'a'"):
        check_child_specs([stage.spec("a"), stage.spec("a")])


@pytest.mark.parametrize("auto_shutdown", [None, *AutoShutdown])
@pytest.mark.parametrize("restart", [None, *Restart])
def test_which_significance_goes_with_which_restart_and_auto_shutdown(
    restart: Restart | None, auto_shutdown: AutoShutdown | None, stage: Stage
) -> None:
    """supervisor.erl, validSignificant/3. SUITE: child_specs_map.

    No restart is permanent there. Here it is so in a static supervisor, and for a dynamic one no
    child is significant: invalid in both.
    """
    check_child_specs([stage.spec("a", restart=restart)], auto_shutdown)
    if auto_shutdown is not AutoShutdown.NEVER and restart in (
        Restart.TRANSIENT,
        Restart.TEMPORARY,
    ):
        check_child_specs([stage.spec("a", restart=restart, significant=True)], auto_shutdown)
    else:
        with pytest.raises(InvalidChildSpec, match="significant"):
            check_child_specs([stage.spec("a", restart=restart, significant=True)], auto_shutdown)


def test_keys_that_are_missing_or_unknown_are_refused_by_python(stage: Stage) -> None:
    """SUITE: sup_start_map_faulty_specs, sup_flags. Beyond OTP: it ignores unknown ones."""
    start = stage.spec("a").start
    for keys in ({"start": start}, {"id": "a"}, {"id": "a", "start": start, "silly_flag": True}):
        with pytest.raises(TypeError):
            ChildSpec(**keys)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(TypeError):
        Supervisor("root", silly_flag=True)  # type: ignore[call-arg]  # what is refused


async def test_a_running_supervisor_checks_what_it_is_given(stage: Stage) -> None:
    """supervisor(3), start_child/2: must be a valid child specification. SUITE: child_specs."""
    significant = stage.spec("s", restart=Restart.TRANSIENT, significant=True)
    async with open_supervisor("root", [dynamic_supervisor_child("users")]) as root:
        users = root.child("users")
        for supervisor in (root, users):
            for spec in ("hej", significant):
                with pytest.raises(InvalidChildSpec):
                    await supervisor.start_child(spec)  # type: ignore[attr-defined]
        assert list(root.children()) == ["users"]
