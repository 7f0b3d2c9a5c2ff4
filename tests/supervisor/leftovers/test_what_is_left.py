"""What restarts, changed specs and cancelled callers leave behind: nothing for ever."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.ref import ActorStopped, Ref, Request
from greenroom.supervisor import (
    ChildSpec,
    ChildState,
    DynamicSupervisorRef,
    Intensity,
    OnRestart,
    Restart,
    SupervisorRef,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.errors import ChildLeftBehind, RestartIntensityExceeded
from tests.supervisor.stage import Crash, settle


class Doomed(Exception):
    """An error that weak references can watch."""


class Get(Request[int]):
    pass


class Mortal(Actor[object]):
    async def receive(self, message: object) -> object:
        if isinstance(message, Get):
            return 1
        assert isinstance(message, BaseException)
        raise message


async def supervisor_of(root: SupervisorRef, kind: str, spec: ChildSpec) -> SupervisorRef:
    """A running static or dynamic supervisor with this child."""
    if kind == "static":
        return root
    dynamic = root.child("dynamic")
    assert isinstance(dynamic, DynamicSupervisorRef)
    await dynamic.start_child(spec)
    return dynamic


@pytest.mark.fault("S5")
@pytest.mark.parametrize("kind", ["static", "dynamic"])
async def test_restarts_outside_of_the_window_are_forgotten_with_their_errors(
    kind: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond OTP: memory. A generous intensity keeps what its period holds, and no more."""
    caplog.set_level(logging.CRITICAL, "greenroom")  # what pytest captures would keep the errors
    spec = actor_child("a", Mortal, restart=Restart.PERMANENT)
    intensity = Intensity(100_000, 10.0)
    children = [spec, dynamic_supervisor_child("dynamic", intensity=intensity)]
    errors: list[weakref.ref[BaseException]] = []
    async with open_supervisor("root", children, intensity=intensity) as root:
        supervisor = await supervisor_of(root, kind, spec)
        for _ in range(300):
            ref = supervisor.child("a")
            assert isinstance(ref, Ref)
            error = Doomed()
            errors.append(weakref.ref(error))
            ref.tell(error)
            del error
            await settle()
            await trio.sleep(60)
        gc.collect()
        kept = sum(each() is not None for each in errors)
        assert kept <= len(root.crashes()) + 2


@pytest.mark.fault("S5")
async def test_a_supervisor_that_gives_up_names_a_bounded_number_of_crashes() -> None:
    """Beyond OTP: memory. The last crashes of the window stand for those before."""

    async def crash_often() -> None:
        specs = [actor_child("a", Mortal)]
        async with open_supervisor("root", specs, intensity=Intensity(250, 1e6)) as root:
            for _ in range(251):
                ref = root.child("a")
                assert isinstance(ref, Ref)
                ref.tell(Crash())
                await settle()

    with pytest.raises(RestartIntensityExceeded) as raised:
        await crash_often()
    assert len(raised.value.crashes) == 100


@pytest.mark.fault("S6")
@pytest.mark.parametrize("to", ["failed", "task"])
async def test_a_ref_that_an_earlier_spec_kept_ends_when_the_next_life_has_another(
    to: str,
) -> None:
    """supervisor(3), change of specs: what a spec says holds from the next start."""
    specs = {
        "failed": actor_child("a", Mortal),
        "task": task_child("a", trio.sleep_forever),
    }
    kept = actor_child("a", Mortal, mailbox=OnRestart.KEPT)
    async with open_supervisor("root", [kept]) as root:
        old = root.child("a")
        assert isinstance(old, Ref)
        await root.change_specs([specs[to]])
        assert await old.ask(Get()) == 1
        old.tell(Crash())
        await settle()
        assert root.child("a") is not old
        with pytest.raises(ActorStopped):
            await old.ask(Get())


class Deaf(Actor[object]):
    async def stopping(self, reason: object) -> None:
        await trio.sleep(500)


@pytest.mark.fault("S7")
@pytest.mark.parametrize("kind", ["static", "dynamic"])
async def test_a_cancelled_caller_of_terminate_child_leaves_the_shutdown_time_in_force(
    kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    """supervisor(3), shutdown: after its time a child is killed, whoever waits for it."""
    slow = supervisor_child("slow", [actor_child("a", Deaf, shutdown=600)], shutdown=2)
    children = [slow, dynamic_supervisor_child("dynamic")]
    async with open_supervisor("root", children) as root:
        supervisor = await supervisor_of(root, kind, slow)
        assert hasattr(supervisor, "terminate_child")
        with trio.move_on_after(1):
            await supervisor.terminate_child("slow")
        await trio.sleep(4)
        assert supervisor.children().get("slow", ChildState.STOPPED) is ChildState.STOPPED


@pytest.mark.fault("S7")
@pytest.mark.parametrize("call", ["terminate", "start"])
async def test_a_child_that_ignores_its_end_is_named_also_when_its_caller_is_gone(
    call: str, autojump_clock: trio.testing.MockClock
) -> None:
    """supervisor(3), shutdown: after its time a child is killed, whoever waits for it."""
    release = trio.Event()

    async def deaf(*, task_status: trio.TaskStatus[object]) -> None:
        if call == "terminate":
            task_status.started()
        with trio.CancelScope(shield=True):
            await release.wait()

    async with open_supervisor("root", [dynamic_supervisor_child("dynamic")]) as root:
        dynamic = root.child("dynamic")
        assert isinstance(dynamic, DynamicSupervisorRef)
        spec = ChildSpec("deaf", deaf, shutdown=2)
        with trio.move_on_after(1):
            await dynamic.start_child(spec)
            await dynamic.terminate_child("deaf")
        await trio.sleep(10)
        assert dynamic.left_behind() == ("deaf",)
        report = root.crashes()[-1]
        assert report.child == "deaf"
        assert isinstance(report.reason.error, ChildLeftBehind)
        release.set()
        await settle()
        assert not dynamic.left_behind()
