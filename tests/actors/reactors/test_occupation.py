"""The own task of a reactor may do something else while a dispatcher calls its handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors import Ref, run_actor
from greenroom.actors.exit import NORMAL, SHUTDOWN, ExitKind
from tests.actors.reactors.spoken_to import Said, SpokenTo

pytestmark = pytest.mark.requirement("R39")


class Crash(Exception):
    """What a handler raises, or an occupation."""


def fail() -> NoReturn:
    raise Crash("on cue")


@attrs.define(eq=False)
class Work:
    """Goes on until it is cancelled, or told what to do."""

    lines: list[str]
    comes: trio.Event = attrs.field(factory=trio.Event)
    does: Callable[[], object] = lambda: None

    async def run(self) -> None:
        try:
            await self.comes.wait()
            self.does()
            self.lines.append("worked")
        except trio.Cancelled:
            self.lines.append("interrupted")
            raise

    def interrupt(self, scope: trio.CancelScope) -> None:
        scope.cancel()

    def do(self, something: Callable[[], object] = lambda: None) -> None:
        self.does = something
        self.comes.set()


class Patient(Work):
    """One that is interrupted only once it has come to something."""

    scope: trio.CancelScope | None = None

    def interrupt(self, scope: trio.CancelScope) -> None:
        self.scope = scope


class Busy(SpokenTo):
    """A reactor with an occupation."""

    def __init__(self, work: type[Work] = Work) -> None:
        self.lines: list[str] = []
        self.occupation = self.work = work(self.lines)


@attrs.define
class Running:
    actor: Busy
    ref: Ref[Said]
    scope: trio.CancelScope
    raised: list[BaseException]


async def run(nursery: trio.Nursery, work: type[Work] = Work) -> Running:
    busy, scope, raised = Busy(work), trio.CancelScope(), list[BaseException]()

    async def live(*, task_status: trio.TaskStatus[Ref[Said]]) -> None:
        try:
            with scope:
                await run_actor(busy, name="busy", task_status=task_status)
        except Crash as error:
            raised.append(error)

    return Running(busy, await nursery.start(live), scope, raised)


async def test_its_handlers_are_called_meanwhile(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    it.ref.tell("a word")
    await trio.testing.wait_all_tasks_blocked()
    it.actor.work.do()
    await trio.testing.wait_all_tasks_blocked()
    assert it.actor.lines == ["a word", "worked"]


async def test_it_lives_on_when_its_occupation_has_come_to_an_end(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    it.actor.work.do()
    await trio.testing.wait_all_tasks_blocked()
    it.ref.tell("a word")
    it.ref.tell(it.actor.stop)
    assert await it.ref.wait_stopped() == NORMAL
    assert it.actor.lines == ["worked", "a word"]


async def test_one_that_stops_interrupts_its_occupation(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    it.ref.tell(it.actor.stop)
    it.ref.tell("never")
    assert await it.ref.wait_stopped() == NORMAL
    assert it.actor.lines == ["interrupted"]


async def test_what_a_handler_raises_interrupts_the_occupation_and_is_its_end(
    nursery: trio.Nursery,
) -> None:
    it = await run(nursery)
    it.ref.tell(fail)
    it.ref.tell("never")
    reason = await it.ref.wait_stopped()
    await trio.testing.wait_all_tasks_blocked()
    assert (reason.kind, it.raised) == (ExitKind.CRASHED, [reason.error])
    assert it.actor.lines == ["interrupted"]


async def test_what_the_occupation_raises_is_its_end(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    it.actor.work.do(fail)
    reason = await it.ref.wait_stopped()
    await trio.testing.wait_all_tasks_blocked()
    assert (reason.kind, it.raised) == (ExitKind.CRASHED, [reason.error])


async def test_one_that_is_cancelled_is_shut_down(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    it.scope.cancel()
    assert await it.ref.wait_stopped() == SHUTDOWN
    assert it.actor.lines == ["interrupted"]


async def test_what_a_handler_raises_wins_over_the_cancellation_that_it_asked_for(
    nursery: trio.Nursery,
) -> None:
    it = await run(nursery)

    def cancel_and_fail() -> None:
        it.scope.cancel()
        fail()

    it.ref.tell(cancel_and_fail)
    reason = await it.ref.wait_stopped()
    assert (reason.kind, type(reason.error)) == (ExitKind.CRASHED, Crash)


async def test_an_occupation_may_take_its_time_and_nothing_is_handled_meanwhile(
    nursery: trio.Nursery,
) -> None:
    it = await run(nursery, Patient)
    it.ref.tell(it.actor.stop)
    await trio.testing.wait_all_tasks_blocked()
    it.ref.tell("never")
    await trio.testing.wait_all_tasks_blocked()
    assert it.ref.exit_reason is None
    assert isinstance(it.actor.work, Patient)
    assert it.actor.work.scope is not None
    it.actor.work.scope.cancel()
    assert await it.ref.wait_stopped() == NORMAL
    assert it.actor.lines == ["interrupted"]
