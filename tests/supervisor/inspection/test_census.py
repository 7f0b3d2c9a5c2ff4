"""Counting who lives in a tree."""

from __future__ import annotations

import enum
from functools import partial

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, go
from greenroom.actors.machine.table import On
from greenroom.actors.ref import Ref
from greenroom.supervisor.child_spec import actor_child
from greenroom.supervisor.inspection.census import take_census
from greenroom.supervisor.supervisor import open_supervisor, supervisor_child

pytestmark = pytest.mark.requirement("R10")


class Lamp(enum.Enum):
    OFF = 1
    ON = 2


def _switch(data: None, _: str) -> Step[Lamp, None, object]:
    return go(Lamp.ON, data)


LAMP: Machine[Lamp, None, object] = Machine(
    name="lamp",
    states=Lamp,
    initial=Lamp.OFF,
    final={Lamp.ON},
    transitions=[On(Lamp.OFF, str, _switch, to={Lamp.ON})],
)


class Light(MachineActor[str, Lamp, None, object]):
    machine = LAMP

    def initial_data(self) -> None:
        return None


class Slow(Actor[str]):
    async def receive(self, message: str) -> None:
        await trio.sleep_forever()


async def test_actors_their_waiting_messages_and_phases_are_counted_at_any_depth() -> None:
    children = [
        supervisor_child("below", [actor_child(f"slow{n}", Slow) for n in range(3)]),
        actor_child("light", partial(Light)),
    ]
    async with open_supervisor("root", children) as root:
        below = root.child("below")
        for count, number in ((1, 0), (4, 1)):
            slow = below.child(f"slow{number}")  # type: ignore[attr-defined]  # a supervisor
            assert isinstance(slow, Ref)
            for _ in range(count):
                slow.tell("work")
        census = take_census(root)
    assert census.actors == {"Slow": 3, "Light": 1}
    assert census.waiting == {"Slow": 5, "Light": 0}
    assert census.deepest == {"Slow": 4, "Light": 0}
    assert census.phases == {("lamp", "off"): 1}
