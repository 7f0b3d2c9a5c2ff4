from __future__ import annotations

import itertools
import logging

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.exit import ExitKind, ExitReason
from greenroom.actors.ref import Ref
from greenroom.supervisor import (
    ChildSpec,
    ChildState,
    Intensity,
    Shutdown,
    StaticSupervisorRef,
    Strategy,
    Supervisor,
    actor_child,
    open_supervisor,
    parent,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.errors import (
    ChildNotRunning,
    NeverStarted,
    NoSuchChild,
    RestartIntensityExceeded,
    StartFailed,
    SupervisorError,
    SupervisorStopped,
)
from tests.supervisor.stage import Crash, Stage, settle


class Echo(Actor[str]):
    def __init__(self) -> None:
        self.said: list[ExitReason] = []

    async def receive(self, message: str) -> None:
        if message == "die":
            raise Crash("told to")

    async def stopping(self, reason: ExitReason) -> None:
        await trio.sleep(1)
        self.said.append(reason)


# ---- start and stop ---------------------------------------------------------------------


@pytest.mark.requirement("R33")
async def test_children_start_in_order_and_stop_in_reverse(stage: Stage) -> None:
    """supervisor(3), Supervision Principles: started left to right, terminated right to left."""
    async with open_supervisor("root", [stage.spec(id_) for id_ in "abc"]):
        assert stage.take_log() == "+a +b +c"
    assert stage.take_log() == "-c -b -a"


@pytest.mark.requirement("R33")
async def test_a_failed_start_stops_what_had_started_in_reverse_and_names_the_culprit(
    stage: Stage,
) -> None:
    """supervisor(3), start_link/3, last case: {error, {shutdown, Reason}}, others stopped first.

    supervisor.erl, start_children/2: the reason names it. SUITE: faulty_application_shutdown.
    """
    stage.failing["c"] = 1
    with pytest.raises(StartFailed, match="'root' could not start 'c'") as failure:
        async with open_supervisor("root", [stage.spec(id_) for id_ in "abcd"]):
            pytest.fail("the block must not be entered")
    assert isinstance(failure.value.__cause__, Crash)
    assert failure.value.child == "c"
    assert stage.take_log() == "+a +b !c -b -a"


@pytest.mark.requirement("R33")
async def test_a_failed_start_deep_in_the_tree_is_told_level_by_level(stage: Stage) -> None:
    """supervisor.erl, start_children/2: {failed_to_start_child, Id, Reason}, Reason the child's."""
    stage.failing["c"] = 1
    inner = supervisor_child("inner", [stage.spec("b"), stage.spec("c")])
    with pytest.raises(StartFailed, match="'inner'") as failure:
        async with open_supervisor("root", [stage.spec("a"), inner]):
            pytest.fail("the block must not be entered")
    cause = failure.value.__cause__
    assert isinstance(cause, StartFailed)
    assert (cause.supervisor, cause.child) == ("root/inner", "c")
    assert stage.take_log() == "+a +b !c -b -a"


async def test_a_child_waits_for_its_sibling_to_be_gone_before_it_is_stopped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor(3), Supervision Principles: in reversed start order, one after the other."""
    ends: list[str] = []

    def slow(name: str) -> ChildSpec:
        async def run() -> None:
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(2)
                ends.append(f"{name} at {trio.current_time() - begin:.0f}")

        return task_child(name, run)

    begin = trio.current_time()
    async with open_supervisor("root", [slow("a"), slow("b")]):
        pass
    assert ends == ["b at 2", "a at 4"]


async def test_cancelled_from_outside_it_still_stops_its_children_one_by_one(
    stage: Stage,
) -> None:
    """supervisor(3), Supervision Principles; trio's cancellation is the parent's exit signal."""
    with trio.CancelScope() as scope:
        inner = supervisor_child("inner", [stage.spec("b"), stage.spec("c")])
        async with open_supervisor("root", [stage.spec("a"), inner, stage.spec("d")]):
            stage.take_log()
            scope.cancel()
            await trio.sleep_forever()
    assert stage.take_log() == "-d -c -b -a"


async def test_cancelled_while_a_child_starts_it_stops_that_one_too(stage: Stage) -> None:
    """Beyond OTP: a start can be cancelled; OTP waits for it to end."""

    async def never_up(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            stage.log.append("-stalled")

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            specs = [stage.spec("a"), ChildSpec("stalled", never_up), stage.spec("c")]
            nursery.start_soon(Supervisor("root", tuple(specs)).run)
            await settle()
            scope.cancel()
    assert stage.take_log() == "+a -stalled -a"


async def test_cancelled_in_the_middle_of_a_restart_it_stops_everyone(stage: Stage) -> None:
    """Beyond OTP: a restart can be cancelled; OTP waits for it to end."""
    release = trio.Event()
    lives = itertools.count()

    async def slow_second_time(*, task_status: trio.TaskStatus[object]) -> None:
        if next(lives):
            await release.wait()
        task_status.started()
        await trio.sleep_forever()

    with trio.CancelScope() as scope:
        specs = [stage.spec("a"), ChildSpec("slow", slow_second_time), stage.spec("c")]
        async with open_supervisor("root", specs, strategy=Strategy.ONE_FOR_ALL) as root:
            stage.crash("a")
            await settle()
            assert root.children()["slow"] is ChildState.STARTING
            scope.cancel()
            await trio.sleep_forever()
    assert stage.take_log() == "+a +c -a -c +a -a"


async def test_an_error_in_the_block_comes_out_as_it_is_after_an_orderly_stop(
    stage: Stage,
) -> None:
    """Beyond OTP: a block of code is the parent."""
    with pytest.raises(Crash) as raised:
        async with open_supervisor("root", [stage.spec("a"), stage.spec("b")]):
            raise Crash("in the block")
    assert stage.take_log() == "+a +b -b -a"
    assert raised.value.__context__ is None


async def test_a_start_that_never_says_started_is_a_failed_start() -> None:
    """supervisor(3), start_link/3, last case: an erroneous value of a start function."""

    async def forgets(*, task_status: trio.TaskStatus[object]) -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(StartFailed) as failure:
        async with open_supervisor("root", [ChildSpec("forgets", forgets)]):
            pytest.fail("the block must not be entered")
    assert isinstance(failure.value.__cause__, NeverStarted)


# ---- restart --------------------------------------------------------------------------------


async def test_two_that_crash_at_once_in_a_group_are_one_restart(stage: Stage) -> None:
    """supervisor.erl, restart_multiple_children: a group restart is one restart."""
    specs = [stage.spec("a"), stage.spec("b")]
    async with open_supervisor(
        "root", specs, strategy=Strategy.ONE_FOR_ALL, intensity=Intensity(1, 5.0)
    ) as root:
        stage.crash("a")
        stage.crash("b")
        await settle()
        assert root.restart_budget == 0
        assert set(root.children().values()) == {ChildState.RUNNING}


async def test_a_failed_restart_is_tried_again_and_every_try_is_counted(stage: Stage) -> None:
    """supervisor.erl, restart/2 and try_again_restart: every try is added to the restarts."""
    async with open_supervisor("root", [stage.spec("a")], intensity=Intensity(3, 5.0)) as root:
        stage.failing["a"] = 2
        stage.crash("a")
        await settle()
        assert stage.take_log() == "+a -a !a !a +a"
        assert root.restart_budget == 0


async def test_a_failed_start_is_reported_once_and_only_when_no_caller_gets_it(
    stage: Stage,
) -> None:
    """supervisor.erl, handle_start_child/2 and restart/2: start_error is reported by the latter."""
    async with open_supervisor("root", [stage.spec("a")]) as root:
        stage.failing["b"] = 1
        with pytest.raises(StartFailed):
            await root.start_child(stage.spec("b"))
        assert root.crashes() == ()
        stage.failing["a"] = 1
        stage.crash("a")
        await settle()
        assert [str(crash.reason.error) for crash in root.crashes()] == ["a", "a did not come up"]


# ---- escalation -----------------------------------------------------------------------------


@pytest.mark.requirement("R39")
async def test_a_root_that_gives_up_stops_its_children_and_raises_out_of_the_block(
    stage: Stage,
) -> None:
    """supervisor(3), Restart intensity and period: terminates all children and then itself."""

    async def crash_twice() -> None:
        specs = [stage.spec("a"), stage.spec("b")]
        async with open_supervisor("root", specs, intensity=Intensity(1, 5.0)):
            for _ in range(2):
                stage.crash("b")
                await settle()
            await trio.sleep_forever()

    with pytest.raises(RestartIntensityExceeded, match="more than 1 restarts in 5 s") as raised:
        await crash_twice()
    assert stage.take_log() == "+a +b -b +b -b -a"
    assert [crash.child for crash in raised.value.crashes] == ["b", "b"]
    assert isinstance(raised.value.__cause__, Crash)


@pytest.mark.requirement("R39")
async def test_a_supervisor_that_gives_up_is_a_crashed_child_to_its_parent(stage: Stage) -> None:
    """OTP Design Principles, Maximum Restart Intensity: the next higher supervisor takes action."""
    inner = supervisor_child("inner", [stage.spec("a")], intensity=Intensity(0, 5.0))
    async with open_supervisor("root", [inner, stage.spec("b")]) as root:
        before = root.child("inner")
        stage.crash("a")
        await settle()
        assert stage.take_log() == "+a +b -a +a"
        assert root.child("inner") is not before
        assert [crash.child for crash in root.crashes()] == ["a", "inner"]


async def test_a_stopped_supervisor_says_so_and_how_it_ended(stage: Stage) -> None:
    """supervisor(3): its functions fail if the supervisor does not exist (any more)."""
    inner = supervisor_child("inner", [stage.spec("a")], intensity=Intensity(0, 5.0))
    async with open_supervisor("root", [inner]) as root:
        old = root.child("inner")
        assert isinstance(old, StaticSupervisorRef)
        stage.crash("a")
        assert (await old.wait_stopped()).kind is ExitKind.SHUTDOWN
        with pytest.raises(SupervisorStopped):
            await old.terminate_child("a")


# ---- values and siblings ---------------------------------------------------------------------


async def test_the_value_of_a_child_is_what_its_present_incarnation_started_with(
    stage: Stage,
) -> None:
    """supervisor(3), which_children/1: Child is the pid of the corresponding child process."""
    async with open_supervisor("root", [stage.spec("a")]) as root:
        assert root.child("a") == "a1"
        stage.crash("a")
        await settle()
        assert root.child("a") == "a2"
        await root.terminate_child("a")
        with pytest.raises(ChildNotRunning):
            root.child("a")
        with pytest.raises(NoSuchChild):
            root.child("z")


async def test_a_child_finds_the_siblings_that_started_before_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Beyond OTP: in OTP a child is given names, or its supervisor, when it is started."""
    found: list[object] = []

    class Needy(Echo):
        async def started(self) -> None:
            found.append(parent().child("first"))

    specs = [actor_child("first", Echo), supervisor_child("sub", [actor_child("needy", Echo)])]
    async with open_supervisor("root", [*specs, actor_child("needy", Needy)]) as root:
        assert found == [root.child("first")]
        sub = root.child("sub")
        assert isinstance(sub, StaticSupervisorRef)
        assert sub.parent is root


def test_only_a_supervisors_child_has_a_parent() -> None:
    """Beyond OTP: in OTP a child is given names, or its supervisor, when it is started."""
    with pytest.raises(SupervisorError):
        parent()


async def test_a_block_inside_a_child_is_a_tree_of_its_own(stage: Stage) -> None:
    """Beyond OTP: a tree begins where a block of code is the parent."""

    async def hosts(*, task_status: trio.TaskStatus[object]) -> None:
        async with open_supervisor("inner", [stage.spec("a")]) as inner:
            task_status.started(inner)
            await trio.sleep_forever()

    async with open_supervisor("outer", [ChildSpec("host", hosts)]) as outer:
        inner = outer.child("host")
        assert isinstance(inner, StaticSupervisorRef)
        assert inner.parent is None
    assert stage.take_log() == "+a -a"


# ---- actors as children ----------------------------------------------------------------------


async def test_a_child_killed_past_its_shutdown_time_is_reported_unless_killed_by_its_spec(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor.erl, shutdown/1 and do_terminate/2: reported, but for brutal_kill."""
    specs = [
        actor_child("late", Echo, shutdown=0.5),
        actor_child("brutal", Echo, shutdown=Shutdown.BRUTAL_KILL),
    ]
    async with open_supervisor("root", specs) as root:
        pass
    assert [(crash.child, crash.reason.kind) for crash in root.crashes()] == [
        ("late", ExitKind.KILLED)
    ]


async def test_a_crash_is_logged_once_with_its_traceback_and_remembered_with_the_messages(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """SASL, Supervisor Report: child_terminated. Beyond OTP: the last messages."""
    inner = supervisor_child("inner", [actor_child("echo", Echo)], intensity=Intensity(0, 1.0))
    with caplog.at_level(logging.WARNING, "greenroom.supervisor"):
        async with open_supervisor("root", [inner]) as root:
            sub = root.child("inner")
            assert isinstance(sub, StaticSupervisorRef)
            ref = sub.child("echo")
            assert isinstance(ref, Ref)
            ref.tell("hello")
            ref.tell("die")
            await trio.sleep(2)
    crash = root.crashes()[0]
    assert (crash.supervisor, crash.child, crash.restarts) == ("root/inner", "echo", 0)
    assert crash.messages == ("hello", "die")
    assert "told to" in crash.traceback
    assert [bool(record.exc_info) for record in caplog.records] == [True, False]
