"""Trio cannot kill a task: what happens to one that does not let itself be cancelled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.exit import ExitKind
from greenroom.supervisor import (
    ChildSpec,
    CrashLog,
    CrashReport,
    Strategy,
    actor_child,
    open_dynamic_supervisor,
    open_supervisor,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.child import KILL_PATIENCE
from greenroom.supervisor.errors import ChildLeftBehind
from tests.supervisor.stage import Stage


class Stubborn:
    def __init__(self) -> None:
        self.release = trio.Event()

    async def shields(self) -> None:
        with trio.CancelScope(shield=True):
            await self.release.wait()

    async def swallows(self) -> None:
        while not self.release.is_set():
            try:
                await self.release.wait()
            except trio.Cancelled:
                with trio.CancelScope(shield=True):
                    await trio.sleep(0.1)

    def spec(self, how: str, shutdown: float = 2) -> ChildSpec:
        return task_child("stubborn", getattr(self, how), shutdown=shutdown)


@pytest.fixture
def stubborn() -> Iterator[Stubborn]:
    stubborn = Stubborn()
    yield stubborn
    stubborn.release.set()


@pytest.mark.parametrize("how", ["shields", "swallows"])
async def test_it_is_reported_by_name_and_its_siblings_stop_all_the_same(
    how: str, stubborn: Stubborn, stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: exit(Pid, kill) cannot be ignored, a cancellation can."""
    reports: list[CrashReport] = []

    def on_crash(report: CrashReport) -> None:
        reports.append(report)

    async def look_when_its_time_is_over() -> None:
        await trio.sleep(2 + KILL_PATIENCE + 0.5)
        seen.append(stage.take_log())
        stubborn.release.set()

    seen: list[str] = []
    inner = supervisor_child("inner", [stage.spec("b"), stubborn.spec(how), stage.spec("c")])
    async with (
        trio.open_nursery() as nursery,
        open_supervisor("root", [stage.spec("a"), inner], crash_log=CrashLog(on_crash=on_crash)),
    ):
        nursery.start_soon(look_when_its_time_is_over)
    assert seen == ["+a +b +c -c -b -a"]
    (report,) = reports
    assert (report.supervisor, report.child) == ("root/inner", "stubborn")
    assert report.reason.kind is ExitKind.KILLED


async def test_its_supervisor_goes_on_without_it(
    stubborn: Stubborn, stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: exit(Pid, kill) cannot be ignored, a cancellation can.

    SUITE: child_unlink (whatever a child does, terminating it hangs nobody).
    """
    async with open_supervisor("root", [stubborn.spec("shields"), stage.spec("a")]) as root:
        with pytest.raises(ChildLeftBehind, match="ignores cancellation"):
            await root.terminate_child("stubborn")
        assert root.left_behind() == ("stubborn",)
        assert root.child("a") == "a1"
        await root.terminate_child("a")
        stubborn.release.set()


async def test_a_group_restart_goes_on_beside_it(
    stubborn: Stubborn, stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: exit(Pid, kill) cannot be ignored, a cancellation can."""
    specs = [stage.spec("a"), stubborn.spec("shields")]
    async with open_supervisor("root", specs, strategy=Strategy.ONE_FOR_ALL) as root:
        stage.crash("a")
        await trio.sleep(2 + KILL_PATIENCE + 1)
        assert stage.take_log() == "+a -a +a"
        assert root.left_behind() == ("stubborn",)
        stubborn.release.set()


class LongWords(Actor[str]):
    async def receive(self, message: str) -> None: ...

    async def stopping(self, reason: object) -> None:
        await trio.sleep(500)


@pytest.mark.fault("S7")
@pytest.mark.parametrize("call", ["terminate_child", "start_child"])
async def test_the_shutdown_time_holds_also_when_the_caller_is_cancelled(
    call: str, autojump_clock: trio.testing.MockClock
) -> None:
    """supervisor(3), shutdown; the caller of a dynamic supervisor may be gone by then."""

    async def never_up(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await let_go.wait()

    let_go = trio.Event()
    spec = supervisor_child("a", [actor_child("b", LongWords, shutdown=600)], shutdown=2)
    async with open_dynamic_supervisor("root") as root:
        if call == "terminate_child":
            await root.start_child(spec)
            with trio.move_on_after(1):
                await root.terminate_child("a")
        else:
            with trio.move_on_after(1):
                await root.start_child(ChildSpec("a", never_up, shutdown=2))
        await trio.sleep(5)
        assert root.children() == {}
        (crash,) = [each for each in root.crashes() if each.path == "root/a"]
        assert (crash.reason.kind, crash.context) == (ExitKind.KILLED, "shutdown")
        if call == "start_child":
            assert root.left_behind() == ("a",)
        let_go.set()
