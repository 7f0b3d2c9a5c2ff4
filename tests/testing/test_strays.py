"""Children made to raise anything, wherever they wait."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.supervisor import ChildSpec, Restart, actor_child, task_child
from greenroom.testing import STRAYS, Faults, InjectedFault, Supervised, stray_cancelled
from greenroom.testing.fault_injection import Raised

pytestmark = pytest.mark.fault("D2", "S1", "S3")


class Steps:
    """A child that waits, and writes down how often it was resumed."""

    def __init__(self) -> None:
        self.lives: list[int] = []

    async def walk(self) -> None:
        self.lives.append(0)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            self.lives[-1] += 1
        await trio.sleep_forever()

    @property
    def spec(self) -> ChildSpec:
        return task_child("walk", self.walk)


async def lives_of(supervised: Supervised, spec: ChildSpec) -> None:
    await supervised.start_child(spec)
    await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_child_raises_at_the_nth_time_it_is_resumed_and_then_no_more(
    nth: int, supervised: Supervised, faults: Faults
) -> None:
    steps = Steps()
    supervised.expect(InjectedFault, "walk")
    await lives_of(supervised, faults.raise_at(nth, steps.spec))
    assert steps.lives == [nth - 1, 3]


async def test_every_life_raises_when_it_is_to(supervised: Supervised, faults: Faults) -> None:
    steps = Steps()
    supervised.expect(InjectedFault, "walk")
    spec = faults.raise_at(2, steps.spec, every=True)
    await supervised.start_child(spec)
    while len(steps.lives) < 4:
        await trio.lowlevel.checkpoint()
    await supervised.root.terminate_child("walk")
    assert steps.lives[:3] == [1, 1, 1]


async def test_what_is_raised_is_what_the_code_that_waits_sees(
    supervised: Supervised, faults: Faults
) -> None:
    seen: list[BaseException] = []

    async def wait() -> None:
        try:
            await trio.lowlevel.checkpoint()
        except BaseException as error:
            seen.append(error)
            await trio.lowlevel.checkpoint()  # it may still wait, whatever it was
            raise

    supervised.expect(GeneratorExit)
    error = GeneratorExit()
    spec = task_child("it", wait, restart=Restart.TEMPORARY)
    await lives_of(supervised, faults.raise_at(1, spec, error=error))
    assert seen == [error]


def test_every_stray_is_another_each_time_and_of_no_scope() -> None:
    for make in STRAYS.values():
        assert make() is not make()
    assert isinstance(stray_cancelled(), trio.Cancelled)


class Clerk(Actor[str]):
    async def receive(self, message: str) -> None: ...


@pytest.mark.parametrize("error", [SystemExit(1), SystemExit, STRAYS["SystemExit"]])
async def test_an_actor_crashes_by_an_error_a_class_or_a_maker(
    error: Raised, supervised: Supervised, faults: Faults
) -> None:
    supervised.expect(SystemExit)
    ref = await supervised.start(faults.crash_on(1, Clerk, error=error))
    ref.tell("hello")
    assert isinstance((await ref.wait_stopped()).error, SystemExit)


async def test_specs_keep_what_else_they_say(faults: Faults) -> None:
    spec = actor_child("clerk", Clerk, shutdown=7)
    assert (faults.raise_at(1, spec).id, faults.raise_at(1, spec).shutdown) == ("clerk", 7)
