"""Looking costs a bounded share of the time, however many look."""

from __future__ import annotations

import itertools

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.metrics.gauges import GaugesSeen
from greenroom.metrics.glance import FRESH, SHARE, Glance
from greenroom.supervisor.child_spec import actor_child
from greenroom.supervisor.inspection.census import MOST_FULL, Census, counting, take_census
from greenroom.supervisor.inspection.slices import AT_ONCE, Slices
from greenroom.supervisor.supervisor import open_supervisor

pytestmark = pytest.mark.requirement("R42")


@attrs.define
class SlowGauges:
    """Gauges that take `seconds` to read."""

    seconds: float
    reads: int = 0

    async def read_in_slices(self) -> GaugesSeen:
        self.reads += 1
        await trio.sleep(self.seconds)
        return GaugesSeen({}, ())


async def test_all_who_look_at_once_see_one_reading(autojump_clock: trio.abc.Clock) -> None:
    gauges = SlowGauges(0.1)
    glance = Glance(gauges)  # type: ignore[arg-type]  # of the same shape
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(glance.look)
    assert gauges.reads == 1


@pytest.mark.parametrize(("seconds", "fresh"), [(0.01, FRESH), (1.0, 1.0 / SHARE)])
async def test_it_is_read_again_when_it_is_old_for_what_it_costs(
    seconds: float, fresh: float, autojump_clock: trio.abc.Clock
) -> None:
    gauges = SlowGauges(seconds)
    glance = Glance(gauges)  # type: ignore[arg-type]  # of the same shape
    await glance.look()
    await trio.sleep(fresh * 0.99)
    await glance.look()
    assert gauges.reads == 1
    await trio.sleep(fresh * 0.02)
    await glance.look()
    assert gauges.reads == 2


class Stuck(Actor[str]):
    async def receive(self, message: str) -> None:
        await trio.sleep_forever()


async def test_a_census_in_slices_lets_others_run_and_counts_the_same(
    autojump_clock: trio.abc.Clock,
) -> None:
    names = [f"stuck{number}" for number in range(5 * AT_ONCE)]
    clock = itertools.count()  # a step takes a second
    slices, turns = Slices(lambda: float(next(clock))), 0

    async def run_beside() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.sleep(0.1)

    async with open_supervisor("root", [actor_child(name, Stuck) for name in names]) as root:
        for count, name in enumerate(names[: MOST_FULL + 2]):
            for _ in range(count + 1):
                root.child(name).tell("work")
        await trio.testing.wait_all_tasks_blocked()
        census = Census()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_beside)
            await slices.go_through(counting(census, root))
            nursery.cancel_scope.cancel()
        assert census == take_census(root)
    assert turns > 5
    assert census.fullest[0] == (MOST_FULL + 1, f"root/stuck{MOST_FULL + 1}")
    assert len(census.fullest) == MOST_FULL
