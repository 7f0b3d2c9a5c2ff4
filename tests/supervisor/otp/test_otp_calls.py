"""Starting, stopping and the admin calls: supervisor(3), its functions one by one.

What each call answers in each state of a child is the table of `test_admin_calls`.
"""

from __future__ import annotations

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.errors import OrderlyExit
from greenroom.actors.exit import KILLED, SHUTDOWN, ExitKind, ExitReason
from greenroom.actors.ref import Ref
from greenroom.supervisor import (
    AutoShutdown,
    ChildCounts,
    ChildSpec,
    ChildState,
    Intensity,
    Restart,
    Shutdown,
    Started,
    StaticSupervisorRef,
    Strategy,
    Supervisor,
    SupervisorRef,
    actor_child,
    open_supervisor,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.errors import (
    AlreadyPresent,
    ChildRestarting,
    Ignore,
    InvalidChildSpec,
    StartFailed,
    SupervisorStopped,
)
from tests.supervisor.stage import Crash, Stage, settle

pytestmark = pytest.mark.requirement("R39")


async def declines(*, task_status: trio.TaskStatus[object]) -> None:
    raise Ignore


class Slow(Actor[str]):
    """Takes `seconds` for its last words."""

    def __init__(self, seconds: float, ends: list[str] | None = None) -> None:
        self.seconds, self.ends = seconds, ends if ends is not None else []

    async def stopping(self, reason: ExitReason) -> None:
        await trio.sleep(self.seconds)
        self.ends.append(self.ref.name)


# ---- start_link ---------------------------------------------------------------------------


async def test_it_is_up_when_all_its_children_are(stage: Stage) -> None:
    """supervisor(3), start_link/3: does not return until all children have been started.

    SUITE: sup_start_normal.
    """
    async with trio.open_nursery() as nursery:
        ref = await nursery.start(Supervisor("root", (stage.spec("a"), stage.spec("b"))).run)
        assert stage.take_log() == "+a +b"
        nursery.cancel_scope.cancel()
    assert ref.exit_reason == SHUTDOWN


async def test_a_supervisor_that_declines_to_start_is_ignored_like_any_child(stage: Stage) -> None:
    """supervisor(3), start_link/3: ignore, here of its start. SUITE: sup_start_ignore_init."""
    specs = [ChildSpec("inner", declines, kind="supervisor"), stage.spec("a")]
    async with open_supervisor("root", specs) as root:
        assert root.children() == {"inner": ChildState.STOPPED, "a": ChildState.RUNNING}


# ---- start functions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restart", "kept"), [(Restart.PERMANENT, True), (Restart.TEMPORARY, False)]
)
async def test_a_declined_start_keeps_the_spec_unless_temporary_and_counts_as_not_active(
    restart: Restart, kept: bool, stage: Stage
) -> None:
    """supervisor(3), start: ignore keeps the specification, unless it is a temporary child.

    SUITE: sup_start_ignore_child, sup_start_ignore_temporary_child,
    sup_start_ignore_temporary_child_start_child.
    """
    async with open_supervisor("root", [ChildSpec("a", declines, restart)]) as root:
        assert await root.start_child(ChildSpec("b", declines, restart)) is None
        await root.start_child(stage.spec("c"))
        expected = ["a", "b", "c"] if kept else ["c"]
        assert expected == list(root.children())
        assert root.count_children().active == 1
        if kept:
            assert await root.restart_child("a") is None, "declined again: still not running"


async def test_what_a_start_adds_is_told_to_the_caller_and_ignored_by_the_supervisor() -> None:
    """supervisor(3), start: {ok, Child, Info}. SUITE: extra_return."""

    crashes: list[trio.Event] = []

    async def start(*, task_status: trio.TaskStatus[object]) -> None:
        crashes.append(trio.Event())
        task_status.started(Started("child", info={"port": 8700}))
        await crashes[-1].wait()
        raise Crash("to be restarted")

    async with open_supervisor("root", []) as root:
        assert await root.start_child(ChildSpec("a", start)) == Started("child", {"port": 8700})
        assert root.child("a") == "child"
        assert [info.value for info in root.which_children()] == ["child"]
        await root.terminate_child("a")
        assert await root.restart_child("a") == Started("child", {"port": 8700})
        crashes[-1].set()
        await settle()
        assert len(crashes) == 3
        assert root.child("a") == "child"


async def test_an_error_of_start_child_leaves_no_spec_and_of_restart_child_leaves_it_stopped(
    stage: Stage,
) -> None:
    """supervisor(3), start_child/2 and restart_child/2, last cases.

    SUITE: sup_start_child_returns_error, sup_start_restart_child_returns_error.
    """
    async with open_supervisor("root", [stage.spec("b")]) as root:
        stage.failing.update("ab")
        with pytest.raises(StartFailed) as failure:
            await root.start_child(stage.spec("a"))
        assert isinstance(failure.value.__cause__, Crash)
        await root.terminate_child("b")
        with pytest.raises(StartFailed):
            await root.restart_child("b")
        assert root.children() == {"b": ChildState.STOPPED}


# ---- shutdown -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["worker", "supervisor"])
async def test_with_infinity_a_child_of_either_kind_has_all_the_time_it_takes(
    kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    """supervisor(3), shutdown: infinity, for supervisors and workers. SUITE: sup_stop_infinity."""
    ends: list[str] = []
    slow = actor_child("slow", lambda: Slow(100_000, ends), shutdown=Shutdown.INFINITY)
    specs = [slow] if kind == "worker" else [supervisor_child("inner", [slow])]
    async with open_supervisor("root", specs) as root:
        pass
    assert ends == ["slow"]
    assert root.crashes() == ()


async def test_with_a_time_a_child_is_killed_when_that_is_over(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor(3), shutdown: no exit signal within the time, so it is killed.

    SUITE: sup_stop_timeout.
    """
    ends: list[str] = []
    async with open_supervisor(
        "root",
        [
            actor_child("quick", lambda: Slow(0.5, ends), shutdown=1),
            actor_child("slow", lambda: Slow(200, ends), shutdown=1),
        ],
    ) as root:
        quick, slow = root.child("quick"), root.child("slow")
        begin = trio.current_time()
    assert trio.current_time() - begin < 2
    assert isinstance(quick, Ref)
    assert isinstance(slow, Ref)
    assert (quick.exit_reason, slow.exit_reason, ends) == (SHUTDOWN, KILLED, ["quick"])


async def test_with_brutal_kill_a_child_gets_no_time_at_all(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor(3), shutdown: brutal_kill. SUITE: sup_stop_brutal_kill."""
    spec = actor_child("slow", lambda: Slow(1), shutdown=Shutdown.BRUTAL_KILL)
    async with open_supervisor("root", [spec]) as root:
        slow = root.child("slow")
        begin = trio.current_time()
    assert trio.current_time() == begin
    assert isinstance(slow, Ref)
    assert slow.exit_reason == KILLED
    assert root.crashes() == (), "what the spec says is no accident"


async def test_with_a_time_of_zero_a_child_is_killed_at_once_and_that_is_reported(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor.erl, validShutdown/1: 0 is a time; shutdown/1: too little of it. (Elixir agrees.)

    SUITE: child_specs, child_specs_map.
    """
    async with open_supervisor("root", [actor_child("slow", lambda: Slow(1), shutdown=0)]) as root:
        slow = root.child("slow")
        begin = trio.current_time()
    assert trio.current_time() == begin
    assert isinstance(slow, Ref)
    assert slow.exit_reason == KILLED
    assert [crash.child for crash in root.crashes()] == ["slow"]


async def test_a_supervisor_whose_time_is_over_takes_its_whole_subtree_down(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor(3), shutdown, Warning: any other time than infinity for a supervisor is a race.

    Not here: what OTP may leave running, unlinked, is ended level by level.
    """
    ends: list[str] = []
    deep = supervisor_child(
        "deep", [actor_child(id_, lambda: Slow(60, ends), shutdown=90) for id_ in "ab"]
    )
    inner = supervisor_child("inner", [deep, actor_child("c", lambda: Slow(60, ends))], shutdown=2)
    async with open_supervisor("root", [inner]) as root:
        top = root.child("inner")
        assert isinstance(top, StaticSupervisorRef)
        below = top.child("deep")
        assert isinstance(below, StaticSupervisorRef)
        actors = [below.child("a"), below.child("b"), top.child("c")]
        begin = trio.current_time()
    assert trio.current_time() - begin == 2
    assert [ref.exit_reason for ref in actors if isinstance(ref, Ref)] == [KILLED] * 3
    assert (top.exit_reason, below.exit_reason) == (KILLED, KILLED)
    assert ends == []
    assert root.left_behind() == top.left_behind() == below.left_behind() == ()


async def test_a_stubborn_child_deep_down_is_named_by_its_own_supervisor(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Beyond OTP: where a task cannot be killed, the subtree ends without it."""
    release = trio.Event()

    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await release.wait()

    spec = task_child("stubborn", stubborn, shutdown=Shutdown.INFINITY)
    inner = supervisor_child("inner", [supervisor_child("deep", [spec])], shutdown=2)
    async with open_supervisor("root", [inner]) as root:
        top = root.child("inner")
        assert isinstance(top, StaticSupervisorRef)
        deep = top.child("deep")
        assert isinstance(deep, StaticSupervisorRef)
        await root.terminate_child("inner")
        assert deep.left_behind() == ("stubborn",)
        assert root.left_behind() == top.left_behind() == ()
        assert [crash.child for crash in root.crashes()] == ["stubborn", "deep", "inner"]
        release.set()


async def test_a_child_that_dies_otherwise_than_asked_is_reported_and_stops_nobody(
    stage: Stage,
) -> None:
    """supervisor.erl, shutdown/1: an exit with another reason is reported."""

    async def spiteful() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Crash("when asked to stop")

    async with open_supervisor("root", [stage.spec("a"), task_child("b", spiteful)]) as root:
        pass
    assert stage.take_log() == "+a -a"
    assert [crash.child for crash in root.crashes()] == ["b"]


@pytest.mark.parametrize("restart", Restart)
async def test_children_that_end_by_themselves_while_all_stop_have_reasons_of_their_own(
    restart: Restart, autojump_clock: trio.testing.MockClock
) -> None:
    """SUITE: sup_stop_race.

    Not here: supervisor.erl, shutdown/1, also reports a permanent child that ended in order.
    """
    refs: dict[str, Ref[str]] = {}

    class Mortal(Actor[str]):
        async def receive(self, message: str) -> None:
            match message:
                case "normal":
                    self.stop()
                case "shutdown":
                    raise OrderlyExit("by itself")
                case "crashed":
                    raise Crash("by itself")

    class First(Actor[str]):
        """The first to be stopped."""

        async def stopping(self, reason: ExitReason) -> None:
            for end in ("normal", "shutdown", "crashed"):
                refs[end].tell(end)
            await trio.sleep(1)

    ends = [actor_child(end, Mortal, restart=restart) for end in ("normal", "shutdown", "crashed")]
    specs = [actor_child("last", Mortal), *ends, actor_child("first", First)]
    async with open_supervisor("root", specs) as root:
        for id_ in root.children():
            ref = root.child(id_)
            assert isinstance(ref, Ref)
            refs[id_] = ref
    assert root.exit_reason == SHUTDOWN
    kinds = {id_: ref.exit_reason.kind.value for id_, ref in refs.items() if ref.exit_reason}
    assert kinds == {
        **{end: end for end in ("normal", "shutdown", "crashed")},
        "first": "shutdown",
        "last": "shutdown",
    }
    assert [crash.child for crash in root.crashes()] == ["crashed"]


# ---- a restart that goes on and on ----------------------------------------------------------


@pytest.mark.parametrize("strategy", Strategy)
async def test_between_failing_tries_a_supervisor_answers_and_can_be_stopped(
    strategy: Strategy, stage: Stage
) -> None:
    """supervisor.erl, try_again_restart: other requests are handled before the next try.

    SUITE: hanging_restart_loop, hanging_restart_loop_rest_for_one.
    """
    endless = Intensity(1_000_000, 3600.0)
    specs = [stage.spec("a"), stage.spec("b"), stage.spec("c")]
    with trio.fail_after(30):
        async with open_supervisor("root", specs, strategy=strategy, intensity=endless) as root:
            stage.failing["b"] = 1_000_000
            stage.crash("b")
            while "!b" not in stage.log:
                await trio.lowlevel.checkpoint()
            assert root.which_children()[1].state in (ChildState.RESTARTING, ChildState.STARTING)
            waits = strategy is not Strategy.ONE_FOR_ONE
            assert root.children()["c"] is (ChildState.STOPPED if waits else ChildState.RUNNING)
            with pytest.raises(ChildRestarting):
                await root.restart_child("b")
            with pytest.raises(ChildRestarting):
                await root.delete_child("b")
            with pytest.raises(AlreadyPresent):
                await root.start_child(stage.spec("b"))
            await root.terminate_child("b")
            assert root.children()["a"] is ChildState.RUNNING
            assert root.children()["b"] is ChildState.STOPPED
            stage.failing["b"] = 0
            await root.restart_child("b")
            assert root.children()["b"] is ChildState.RUNNING
            await root.terminate_child("b")
            await root.delete_child("b")


async def test_a_supervisor_in_an_endless_restart_can_be_stopped_itself(stage: Stage) -> None:
    """SUITE: hanging_restart_loop (a shutdown of the supervisor gets through)."""
    with trio.fail_after(30):
        async with open_supervisor(
            "root", [stage.spec("a")], intensity=Intensity(1_000_000, 3600.0)
        ) as root:
            stage.failing["a"] = 1_000_000
            stage.crash("a")
            while "!a" not in stage.log:
                await trio.lowlevel.checkpoint()
    assert root.exit_reason == SHUTDOWN


# ---- counting and listing -------------------------------------------------------------------


async def test_children_are_listed_and_counted_in_every_state(stage: Stage) -> None:
    """supervisor(3), which_children/1, count_children/1.

    SUITE: child_adm, which_children (which_child/2 is `child`, which raises).
    """
    async with open_supervisor("root", []) as root:
        assert root.count_children() == ChildCounts(0, 0, 0, 0)
        for id_ in "ab":
            await root.start_child(stage.spec(id_))
        await root.start_child(supervisor_child("inner", []))
        await root.terminate_child("a")
        await root.terminate_child("inner")
        assert root.count_children() == ChildCounts(specs=3, active=1, supervisors=1, workers=2)
        assert [(info.id, info.value, info.kind) for info in root.which_children()] == [
            ("a", None, "worker"),
            ("b", "b1", "worker"),
            ("inner", None, "supervisor"),
        ]
        await root.delete_child("a")
        assert [info.id for info in root.which_children()] == ["b", "inner"]
    with pytest.raises(SupervisorStopped):
        await root.start_child(stage.spec("c"))


async def test_the_order_of_children_is_the_order_they_were_added_in(stage: Stage) -> None:
    """supervisor(3), Supervision Principles, and start_child/2, which adds to that order."""
    async with open_supervisor("root", [stage.spec("a"), stage.spec("b")]) as root:
        await root.start_child(stage.spec("c"))
        await root.terminate_child("b")
        await root.restart_child("b")
        stage.crash("a")
        await settle()
        assert list(root.children()) == ["a", "b", "c"]
        stage.take_log()
    assert stage.take_log() == "-c -b -a"


async def test_the_order_is_the_one_they_were_given_in_whatever_they_are_called(
    stage: Stage,
) -> None:
    """supervisor(3), Supervision Principles: left to right, and reversed. SUITE: order_of_children.

    Likewise those that are restarted.
    """
    specs = [stage.spec(id_) for id_ in ("7", "3", "10", "5", "2")]
    async with open_supervisor("root", specs, strategy=Strategy.REST_FOR_ONE):
        assert stage.take_log() == "+7 +3 +10 +5 +2"
        stage.crash("10")
        await settle()
        assert stage.take_log() == "-10 -2 -5 +10 +5 +2"
    assert stage.take_log() == "-2 -5 -10 -3 -7"


async def test_a_tree_restarts_where_it_fell_and_children_added_later_are_not_known_to_it(
    stage: Stage,
) -> None:
    """supervisor(3), Restart Strategies: all are restarted, the stopped one too. SUITE: tree."""
    once = Intensity(1, 3600.0)
    specs = [
        supervisor_child("first", [stage.spec("a"), stage.spec("b")]),
        supervisor_child("second", [], intensity=once),
        supervisor_child("third", [], restart=Restart.TRANSIENT),
    ]
    async with open_supervisor("root", specs, strategy=Strategy.ONE_FOR_ALL) as root:
        second = root.child("second")
        assert isinstance(second, StaticSupervisorRef)
        await root.terminate_child("third")
        assert root.count_children() == ChildCounts(specs=3, active=2, supervisors=3, workers=0)
        await second.start_child(stage.spec("c"))
        stage.take_log()
        stage.crash("c")
        await settle()
        assert stage.take_log() == "-c +c"
        stage.crash("c")
        await settle()
        assert stage.take_log() == "-c -b -a +a +b"
        again = root.child("second")
        assert isinstance(again, SupervisorRef)
        assert again is not second
        assert not again.children()
        assert root.count_children().active == 3


# ---- code_change ----------------------------------------------------------------------------


async def test_changed_specs_are_in_their_order_with_the_others_after_them(stage: Stage) -> None:
    """supervisor.erl, update_childspec1: new order, kept ones after. SUITE: code_change_map."""
    async with open_supervisor("root", [stage.spec(id_) for id_ in "abc"]) as root:
        await root.change_specs([stage.spec("d"), stage.spec("c"), stage.spec("a", shutdown=1)])
        assert root.get_child_spec("a").shutdown == 1
        assert list(root.children()) == ["d", "c", "a", "b"]
        assert root.children()["d"] is ChildState.STOPPED
        stage.take_log()
    assert stage.take_log() == "-b -a -c"


async def test_changed_restart_and_flags_hold_at_once(stage: Stage) -> None:
    """supervisor.erl, code_change/3: flags and specs, and nobody is started or stopped.

    SUITE: code_change.
    """
    async with open_supervisor("root", [stage.spec("a"), stage.spec("b")]) as root:
        await root.change_specs(
            [stage.spec("a"), stage.spec("b", restart=Restart.TRANSIENT)],
            strategy=Strategy.ONE_FOR_ALL,
            intensity=Intensity(1, 9.0),
        )
        assert stage.take_log() == "+a +b"
        assert root.restart_budget == 1
        stage.finish("b")
        await settle()
        assert stage.take_log() == "-b"
        stage.crash("a")
        await settle()
        assert stage.take_log() == "-a +a +b"
        assert root.restart_budget == 0


async def test_a_change_that_makes_no_sense_changes_nothing(stage: Stage) -> None:
    """supervisor.erl, code_change/3: {error, …} leaves the state. SUITE: code_change."""
    async with open_supervisor("root", [stage.spec("a")]) as root:
        significant = stage.spec("a", restart=Restart.TRANSIENT, significant=True)
        for specs, flags in [
            ([stage.spec("b"), stage.spec("b")], {}),
            ([significant], {"strategy": Strategy.ONE_FOR_ALL}),
            ([stage.spec("a")], {"strategy": "none_for_one"}),
        ]:
            with pytest.raises(InvalidChildSpec):
                await root.change_specs(specs, **flags)  # type: ignore[arg-type]
        assert list(root.children()) == ["a"]
        assert (root.strategy, root.auto_shutdown) == (Strategy.ONE_FOR_ONE, AutoShutdown.NEVER)


async def test_what_is_not_there_any_more_cannot_be_asked(stage: Stage) -> None:
    """supervisor(3): all functions fail if the specified supervisor does not exist."""
    async with open_supervisor("root", [stage.spec("a")]) as root:
        pass
    assert root.stopped
    for call in (
        lambda: root.start_child(stage.spec("b")),
        lambda: root.terminate_child("a"),
        lambda: root.restart_child("a"),
        lambda: root.delete_child("a"),
        lambda: root.change_specs([]),
    ):
        with pytest.raises(SupervisorStopped):
            await call()
    assert root.exit_reason == SHUTDOWN
    assert (await root.wait_stopped()).kind is ExitKind.SHUTDOWN
