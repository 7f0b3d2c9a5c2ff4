"""Children that raise what most code does not expect; `greenroom.testing.STRAYS` has it all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.exit import ExitKind
from greenroom.actors.ref import ActorStopped, Ref, Request
from greenroom.supervisor import (
    Backoff,
    ChildSpec,
    ChildState,
    CrashLog,
    CrashReport,
    Restart,
    StaticSupervisorRef,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.errors import StartFailed
from greenroom.supervisor.inspection.as_json import dump_crash, load_crash
from greenroom.testing import STRAYS, Faults
from tests.supervisor.stage import Stage, settle

any_error = pytest.mark.parametrize("kind", STRAYS)


class Get(Request[int]):
    pass


class Account(Actor[Get | str]):
    """Raises, in its first life, where it is told to."""

    def __init__(self, lives: Iterator[int], where: str, kind: str) -> None:
        self.first, self.where, self.kind = next(lives) == 0, where, kind

    def fail_in(self, where: str) -> None:
        if self.first and where == self.where:
            raise STRAYS[self.kind]()

    async def receive(self, message: Get | str) -> int:
        if message == "stop":
            self.stop()
        self.fail_in("receive")
        return 1

    async def stopping(self, reason: object) -> None:
        self.fail_in("stopping")


@pytest.mark.fault("D2", "S1", "S3")
@pytest.mark.parametrize("where", ["receive", "stopping"])
@any_error
async def test_an_actor_that_raises_anything_crashes_alone_and_is_restarted(
    kind: str, where: str, stage: Stage
) -> None:
    """Beyond OTP: Python has errors that are meant to end more than one process."""
    lives = itertools.count()
    children = [stage.spec("a"), actor_child("b", lambda: Account(lives, where, kind))]
    async with open_supervisor("root", children) as root:
        first = ref_of(root, "b")
        first.tell("stop" if where == "stopping" else "fail")
        waiting = first.request(Get())
        reason = await first.wait_stopped()
        await settle()

        assert reason.kind is ExitKind.CRASHED
        with pytest.raises(ActorStopped):
            await waiting.wait()
        assert await ref_of(root, "b").ask(Get()) == 1
        assert stage.take_log() == "+a"
        (report,) = root.crashes()
        assert (report.child, report.reason) == ("b", reason)
        assert load_crash(dump_crash(report)).summary == report.summary


@pytest.mark.fault("D2", "S1", "S3")
@any_error
async def test_a_task_that_raises_anything_crashes_alone_however_deep_in_the_tree(
    kind: str, stage: Stage
) -> None:
    """Beyond OTP: the task of every child of a tree is in one nursery."""
    lives = itertools.count()

    async def work() -> None:
        if next(lives) == 0:
            raise STRAYS[kind]()
        await trio.sleep_forever()

    deep = supervisor_child("deep", [task_child("work", work), stage.spec("b")])
    async with open_supervisor("root", [stage.spec("a"), deep]) as root:
        await settle()
        assert root.exit_reason is None
        assert {report.path for report in root.crashes()} == {"root/deep/work"}
        assert stage.take_log() == "+a +b"


@pytest.mark.fault("D2", "S1", "S3")
@any_error
async def test_a_start_that_raises_anything_fails_at_its_caller(kind: str, stage: Stage) -> None:
    """supervisor(3), start_child/2: whatever the start function returns or raises."""

    async def start(*, task_status: trio.TaskStatus[object]) -> NoReturn:
        raise STRAYS[kind]()

    def make() -> NoReturn:
        raise STRAYS[kind]()

    children = [stage.spec("a"), dynamic_supervisor_child("many")]
    async with open_supervisor("root", children) as root:
        many = root.child("many")
        for spec in (ChildSpec("b", start), actor_child("b", make)):
            for supervisor in (root, many):
                with pytest.raises(StartFailed) as caught:
                    await supervisor.start_child(spec)
                assert type(caught.value.__cause__) is not StartFailed
                assert len(str(caught.value)) < 1000
        assert list(root.children()) == ["a", "many"]
        assert stage.take_log() == "+a"
    with pytest.raises(StartFailed):
        async with open_supervisor("root", [stage.spec("a"), ChildSpec("b", start)]):
            raise AssertionError("never entered")


@pytest.mark.fault("S3")
@any_error
async def test_a_restart_that_fails_by_anything_is_tried_again(kind: str) -> None:
    """SUITE: hanging_restart_loop (here the first try fails by an error that cannot be shown)."""
    lives = itertools.count()

    async def start(*, task_status: trio.TaskStatus[object]) -> None:
        life = next(lives)
        if life == 1:
            raise STRAYS[kind]()
        task_status.started(life)
        if life == 0:
            raise ValueError
        await trio.sleep_forever()

    async with open_supervisor("root", [ChildSpec("b", start)]) as root:
        await settle()
        assert root.child("b") == 2
        assert len(root.crashes()) == 2


@pytest.mark.fault("D2")
@pytest.mark.parametrize(
    "make",
    [KeyboardInterrupt, lambda: BaseExceptionGroup("both", [ValueError(), KeyboardInterrupt()])],
)
async def test_only_an_interrupt_stops_the_whole_tree_and_in_order(
    make: Callable[[], BaseException], stage: Stage
) -> None:
    """Beyond OTP: Ctrl-C arrives in whichever task is running."""

    async def work() -> NoReturn:
        await settle()
        raise make()

    children = [stage.spec("a"), stage.spec("b"), task_child("c", work)]
    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)) as caught:
        async with open_supervisor("root", children):
            await trio.sleep_forever()
    assert isinstance(caught.value, KeyboardInterrupt) or caught.group_contains(KeyboardInterrupt)
    assert stage.take_log() == "+a +b -b -a"


@pytest.mark.fault("D2", "S10")
@any_error
async def test_hooks_of_the_program_that_raise_anything_stop_no_supervisor(
    kind: str, stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: hooks. `on_crash` and the draw of a back-off are called in tasks of the tree."""

    def fail(*_: object) -> NoReturn:
        raise STRAYS[kind]()

    backoff = Backoff(first=1.0, limit=2.0, draw=fail)
    children = [
        stage.spec("a", backoff=backoff),
        dynamic_supervisor_child("many"),
    ]
    async with open_supervisor("root", children, crash_log=CrashLog(on_crash=fail)) as root:
        await root.child("many").start_child(
            stage.spec("b", restart=Restart.PERMANENT, backoff=backoff)
        )
        for id_ in "ab":
            stage.crash(id_)
        await settle()
        began = trio.current_time()
        await trio.sleep(2.5)
        assert trio.current_time() - began == 2.5
        assert sorted(stage.take_log().split()) == ["+a", "+a", "+b", "+b", "-a", "-b"]
        assert root.child("many").children() == {"b": ChildState.RUNNING}


@pytest.mark.fault("D2")
async def test_a_started_value_is_never_asked_what_it_can_do() -> None:
    """Beyond OTP: a child may start with any object, one whose attributes raise among them."""

    class Detached:
        def __getattribute__(self, name: str) -> object:
            if name == "_kill":
                raise RuntimeError("out of its session")
            return super().__getattribute__(name)

    async def start(*, task_status: trio.TaskStatus[object]) -> None:
        task_status.started(Detached())
        with trio.CancelScope(shield=True):
            await released.wait()

    released = trio.Event()
    crashes: list[CrashReport] = []
    log = CrashLog(on_crash=lambda report: (crashes.append(report), released.set()))
    children = [ChildSpec("deaf", start, shutdown=0)]
    async with open_supervisor("root", children, crash_log=log):
        pass
    assert [report.child for report in crashes] == ["deaf"]


def ref_of(root: StaticSupervisorRef, id_: str) -> Ref[Get | str]:
    ref = root.child(id_)
    assert isinstance(ref, Ref)
    return ref


class Waiting(Actor[Get | str]):
    """Waits wherever an actor can."""

    async def started(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive(self, message: Get | str) -> int:
        await trio.lowlevel.checkpoint()
        return 1

    async def stopping(self, reason: object) -> None:
        await trio.lowlevel.checkpoint()


@pytest.mark.fault("D2", "S1", "S3")
@pytest.mark.parametrize("nth", range(1, 8))
@any_error
async def test_wherever_a_child_waits_it_may_raise_anything(
    kind: str, nth: int, stage: Stage, faults: Faults
) -> None:
    """Beyond OTP: at every checkpoint of an actor's life, from its start to its last words."""
    spec = faults.raise_at(nth, actor_child("b", Waiting), error=STRAYS[kind])
    dynamic = faults.raise_at(nth, actor_child("c", Waiting), error=STRAYS[kind])
    async with open_supervisor("root", [stage.spec("a"), dynamic_supervisor_child("many")]) as root:
        for supervisor, each in ((root, spec), (root.child("many"), dynamic)):
            for _ in range(2):
                try:
                    ref = await supervisor.start_child(each)
                except StartFailed:
                    continue
                for _ in range(2):
                    if ref.exit_reason is None:
                        ref.tell("hello")
                        await settle()
                if each.id in supervisor.children():
                    await supervisor.terminate_child(each.id)
                assert ref.exit_reason is not None
                break
        assert root.exit_reason is None
        assert stage.take_log() == "+a"


@pytest.mark.fault("D2", "S3")
@pytest.mark.parametrize("kind", ["Unshowable", "ExitsWhenShown", "LongWinded", "deep group"])
@pytest.mark.parametrize("is_beside", [False, True])
async def test_a_nursery_of_a_childs_own_ends_by_an_error_that_cannot_be_shown(
    kind: str, is_beside: bool, stage: Stage
) -> None:
    """Beyond OTP: trio shows the error of a task to note why it cancels the others."""

    async def fail() -> NoReturn:
        raise STRAYS[kind]()

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            if is_beside:
                await fail()
            nursery.start_soon(fail)

    children = [stage.spec("a"), task_child("b", work, restart=Restart.TEMPORARY)]
    async with open_supervisor("root", children) as root:
        await settle()
        assert [report.child for report in root.crashes()] == ["b"]
        assert stage.take_log() == "+a"
