from __future__ import annotations

import contextlib
import gc
import weakref

import pytest
import trio

from greenroom.actors.actor import Actor, run_actor
from greenroom.actors.exit import NORMAL, ExitKind
from greenroom.actors.monitors import Down, Monitor, NotLinkable, link, monitor
from greenroom.actors.ref import Ref


class Watcher(Actor[Down | str]):
    def __init__(self) -> None:
        self.seen: list[Down | str] = []

    async def receive(self, message: Down | str) -> None:
        if message == "stop":
            self.stop()
        self.seen.append(message)


class Mortal(Actor[str]):
    async def receive(self, message: str) -> None:
        if message == "crash":
            raise ValueError("fatal")
        self.stop()


async def run_quietly(
    actor: Actor[str], *, task_status: trio.TaskStatus[Ref[str]] = trio.TASK_STATUS_IGNORED
) -> None:
    with contextlib.suppress(ValueError):
        await run_actor(actor, name="mortal", task_status=task_status)


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


@pytest.mark.requirement("R39")
@pytest.mark.parametrize(("how", "kind"), [("stop", ExitKind.NORMAL), ("crash", ExitKind.CRASHED)])
async def test_the_end_of_a_watched_actor_is_told_exactly_once_with_its_reason(
    how: str, kind: ExitKind, nursery: trio.Nursery
) -> None:
    watcher = Watcher()
    eye: Ref[Down | str] = await nursery.start(_run, watcher)
    mortal: Ref[str] = await nursery.start(run_quietly, Mortal())
    watch = monitor(mortal, eye)
    mortal.tell(how)
    await settle()
    (down,) = watcher.seen
    assert isinstance(down, Down)
    assert (down.monitor, down.ref, down.reason.kind) == (watch, mortal, kind)


async def test_two_monitors_of_one_actor_tell_twice(nursery: trio.Nursery) -> None:
    watcher = Watcher()
    eye: Ref[Down | str] = await nursery.start(_run, watcher)
    mortal: Ref[str] = await nursery.start(run_quietly, Mortal())
    watches = {monitor(mortal, eye), monitor(mortal, eye)}
    mortal.tell("stop")
    await settle()
    assert watches == {down.monitor for down in watcher.seen if isinstance(down, Down)}


async def test_the_end_of_one_that_is_dead_already_is_told_at_once(nursery: trio.Nursery) -> None:
    watcher = Watcher()
    eye: Ref[Down | str] = await nursery.start(_run, watcher)
    mortal: Ref[str] = await nursery.start(run_quietly, Mortal())
    mortal.tell("stop")
    await mortal.wait_stopped()
    monitor(mortal, eye)
    await settle()
    (down,) = watcher.seen
    assert isinstance(down, Down)
    assert down.reason == NORMAL


async def test_a_long_lived_watcher_keeps_nothing_of_the_dead(nursery: trio.Nursery) -> None:
    eye: Ref[Down | str] = await nursery.start(_run, Watcher())
    mortal: Ref[str] = await nursery.start(run_quietly, Mortal())
    monitor(mortal, eye)
    mortal.tell("stop")
    await mortal.wait_stopped()
    monitor(mortal, eye)
    assert not eye._when_stopped


async def test_who_demonitors_is_told_nothing(nursery: trio.Nursery) -> None:
    watcher = Watcher()
    eye: Ref[Down | str] = await nursery.start(_run, watcher)
    mortal: Ref[str] = await nursery.start(run_quietly, Mortal())
    watch = monitor(mortal, eye)
    watch.demonitor()
    watch.demonitor()
    mortal.tell("stop")
    await settle()
    assert watcher.seen == []


async def test_the_watched_actor_does_not_notice_its_watchers_end_and_keeps_nothing_of_it(
    nursery: trio.Nursery,
) -> None:
    mortal: Ref[str] = await nursery.start(run_quietly, Mortal())
    traces: list[weakref.ref[Monitor]] = []

    async def watch_and_leave() -> None:
        async with trio.open_nursery() as inner:
            eye: Ref[Down | str] = await inner.start(_run, Watcher())
            traces.append(weakref.ref(monitor(mortal, eye)))
            eye.tell("stop")

    await watch_and_leave()
    gc.collect()
    assert [trace() for trace in traces] == [None]
    assert mortal.exit_reason is None
    mortal.tell("stop")


async def test_a_watcher_that_is_dead_already_leaves_nothing_behind(nursery: trio.Nursery) -> None:
    mortal: Ref[str] = await nursery.start(run_quietly, Mortal())
    eye: Ref[Down | str] = await nursery.start(_run, Watcher())
    eye.tell("stop")
    await eye.wait_stopped()
    trace = weakref.ref(monitor(mortal, eye))
    gc.collect()
    assert trace() is None
    mortal.tell("stop")


async def test_only_what_a_supervisor_runs_can_be_linked(nursery: trio.Nursery) -> None:
    one: Ref[str] = await nursery.start(run_quietly, Mortal())
    other: Ref[str] = await nursery.start(run_quietly, Mortal())
    with pytest.raises(NotLinkable, match="mortal"):
        link(one, other)
    one.tell("stop")
    other.tell("stop")


async def _run(actor: Watcher, *, task_status: trio.TaskStatus[Ref[Down | str]]) -> None:
    await run_actor(actor, name="watcher", task_status=task_status)
