"""A reactor below a supervisor has a task only while it starts and while it ends."""

from __future__ import annotations

from contextvars import ContextVar

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors import ActorStopped, Ref, link
from greenroom.actors.exit import ExitKind, ExitReason
from greenroom.supervisor import (
    ChildSpec,
    DynamicSupervisorRef,
    Restart,
    StaticSupervisorRef,
    actor_child,
    open_dynamic_supervisor,
    open_supervisor,
)
from tests.actors.reactors.spoken_to import Echo, Said, SpokenTo
from tests.actors.reactors.world import AsReactor, Message, Steps, World, modelled, play, scripts
from tests.supervisor.stage import Crash, Stage, settle

pytestmark = pytest.mark.requirement("R39")

where: ContextVar[str] = ContextVar("where", default="nowhere")


class Diary(SpokenTo):
    """Writes down what happens to it, in all its lives; a message that can be called is called."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    async def started(self) -> None:
        where.set("here")
        self.lines.append("started")

    async def stopping(self, reason: ExitReason) -> None:
        await trio.lowlevel.checkpoint()
        self.lines.append(f"{where.get()}: {reason.kind.value}")


def diary(lines: list[str], **options: object) -> ChildSpec:
    return actor_child("diary", lambda: Diary(lines), **options)  # type: ignore[arg-type]  # test shorthand


def ref_in(root: StaticSupervisorRef) -> Ref[Said]:
    return root.child("diary", Diary)


def fail() -> None:
    raise Crash("on cue")


def tasks_of(root: StaticSupervisorRef) -> set[str]:
    return {task.name for task in root._nursery.child_tasks}


async def test_a_reactor_below_a_supervisor_has_no_task_while_it_lives() -> None:
    """Beyond OTP: a dispatcher calls its handlers."""
    lines: list[str] = []
    async with open_supervisor("root", [diary(lines)]) as root:
        await settle()
        assert tasks_of(root) == set()
        ref_in(root).tell("a word")
        assert await ref_in(root).ask(Echo("hello")) == "hello"
        assert tasks_of(root) == set()
    assert lines == ["started", "a word", "here: shutdown"]


async def test_a_resting_reactor_that_raises_is_reported_with_its_handler_and_restarted() -> None:
    """supervisor(3): a child that crashed is restarted."""
    lines: list[str] = []
    async with open_supervisor("root", [diary(lines)]) as root:
        first = ref_in(root)
        first.tell("last words")
        first.tell(fail)
        first.tell("never handled")
        await settle()
        crash = root.crashes()[-1]
        assert isinstance(crash.reason.error, Crash)
        assert "in fail" in crash.traceback
        assert crash.actor is not None
        assert crash.actor.messages[0] == "last words"
        assert lines == ["started", "last words", "here: crashed", "started"]
        with pytest.raises(ActorStopped):
            first.tell("too late")
        ref_in(root).tell("again")
        await settle()
        assert lines[-1] == "again"
        assert tasks_of(root) == set()


async def test_a_resting_reactor_that_stops_itself_ends_normally() -> None:
    """supervisor(3): a transient child that ended normally is not restarted."""
    lines: list[str] = []
    async with open_supervisor("root", [diary(lines, restart=Restart.TRANSIENT)]) as root:
        ref = ref_in(root)
        actor = ref._actor
        assert isinstance(actor, Diary)
        ref.tell(actor.stop)
        ref.tell("never handled")
        assert (await ref.wait_stopped()).kind is ExitKind.NORMAL
        await settle()
        assert lines == ["started", "here: normal"]
        assert root.crashes() == ()


async def test_a_resting_reactor_that_is_told_to_stop_handles_nothing_more() -> None:
    """supervisor(3), terminate_child: the child is told to stop before anything else."""
    lines: list[str] = []
    async with open_supervisor("root", [diary(lines)]) as root:
        root._children["diary"].cancel()
        ref_in(root).tell("never handled")
        await settle()
        assert lines == ["started", "here: shutdown"]


async def test_a_resting_reactor_whose_linked_actor_crashes_ends_with_it(stage: Stage) -> None:
    """erlang(3), link/1."""
    lines: list[str] = []
    other = actor_child("other", lambda: Diary([]))
    async with open_supervisor("root", [diary(lines), other]) as root:
        link(ref_in(root), root.child(other))
        root.child(other).tell(fail)
        await settle()
        assert lines == ["started", "here: crashed", "started"]


async def test_a_resting_reactor_that_takes_too_long_to_stop_is_killed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor(3), shutdown: past its time the child is killed."""

    class Slow(Diary):
        async def stopping(self, reason: ExitReason) -> None:
            await trio.sleep_forever()

    spec = actor_child("diary", lambda: Slow([]), shutdown=2.0)
    async with open_supervisor("root", [spec]) as root:
        ref, began = ref_in(root), trio.current_time()
        await root.terminate_child("diary")
        assert trio.current_time() - began == pytest.approx(2.0)
        assert ref.exit_reason is not None
        assert ref.exit_reason.kind is ExitKind.KILLED


async def test_a_start_function_around_a_reactor_keeps_its_task() -> None:
    """Beyond OTP: in a start function, the reactor is in the middle of other code."""
    lines: list[str] = []
    spec = diary(lines)

    async def start(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await spec.start(task_status=task_status)
        finally:
            lines.append("given back")

    async with open_supervisor("root", [attrs.evolve(spec, start=start)]) as root:
        await settle()
        assert tasks_of(root) == {"root/diary"}
        ref_in(root).tell("a word")
        await settle()
    assert lines == ["started", "a word", "here: shutdown", "given back"]


@attrs.define
class Supervised(World):
    """Reactors below a supervisor, which rest."""

    root: DynamicSupervisorRef | None = None

    async def begin(self, nursery: trio.Nursery, place: int) -> Ref[Message]:
        if self.root is None:
            self.root = await nursery.start(self._hold)
        assert self.root is not None
        return await self.root.start_child(actor_child(str(place), lambda: self.make(place)))

    async def _hold(self, *, task_status: trio.TaskStatus[DynamicSupervisorRef]) -> None:
        async with open_dynamic_supervisor("root") as root:
            task_status.started(root)
            await trio.sleep_forever()

    def cancel(self, place: int) -> None:
        assert self.root is not None
        child = self.root._children.get(str(place))
        if child is not None:
            child.cancel()


@given(scripts, st.random_module())
def test_a_resting_reactor_does_what_an_actor_does(script: Steps, seed: object) -> None:
    """Beyond OTP: one model for actors, reactors, and reactors that rest."""
    script, lives = modelled(script)
    assert trio.run(play, Supervised([AsReactor]), script) == lives
