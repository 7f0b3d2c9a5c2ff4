"""Small machines with one fault each, for the tools to find."""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import (
    MachineAction,
    Next,
    Postpone,
    StartTimer,
    Step,
    Stop,
    go,
    stay,
)
from greenroom.actors.machine.table import On


class Lamp(enum.Enum):
    OFF = "off"
    ON = "on"
    BROKEN = "broken"


@attrs.frozen
class Press:
    pass


@attrs.frozen
class Drop:
    pass


@attrs.frozen
class Due:
    pass


class Notebook:
    """Of no form that tells whether it can be changed; and it can."""

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Notebook) and self.notes == other.notes

    def __hash__(self) -> int:
        return hash(self.notes)

    def __repr__(self) -> str:
        return f"Notebook{self.notes}"


@attrs.frozen
class Memory:
    presses: tuple[str, ...] = ()
    notes: Notebook = attrs.field(factory=Notebook)


LampStep = Step[Lamp, Memory, str]
Handler = Callable[[Memory, Press], LampStep]


def remember(memory: Memory, *more: str) -> Memory:
    return attrs.evolve(memory, presses=(*memory.presses, *more)[-2:])


def switch_on(memory: Memory, _: Press) -> LampStep:
    return go(Lamp.ON, remember(memory, "on"), "light")


def switch_off(memory: Memory, _: Press) -> LampStep:
    return go(Lamp.OFF, remember(memory, "off"), "dark")


def breaks(memory: Memory, _: Drop) -> LampStep:
    return go(Lamp.BROKEN, memory, "crash")


def mutates(memory: Memory, _: Press) -> LampStep:
    memory.notes.notes += ("pressed",)
    return go(Lamp.OFF, memory)


def raises(memory: Memory, _: Press) -> LampStep:
    raise ZeroDivisionError("no current")


def strays(memory: Memory, _: Press) -> LampStep:
    return go(Lamp.BROKEN, memory)


def for_ever(memory: Memory, event: Press) -> LampStep:
    return stay(memory, Next(event))


def deaf(memory: Memory, _: Press) -> LampStep:
    return stay(memory)


def stops(memory: Memory, _: Press) -> LampStep:
    return stay(memory, "bye", Stop())


def acting(*actions: MachineAction) -> Handler:
    def act(memory: Memory, _: Press) -> LampStep:
        return go(Lamp.OFF, memory, *actions)

    return act


def tick(memory: Memory, _: Due) -> LampStep:
    return stay(memory, "tick")


TIMER_OFF = acting(StartTimer("late", 1, Due()))
POSTPONE_OFF = acting(Postpone())


def lamp(second_press: Handler = switch_off, *, ends: bool = True) -> Machine[Lamp, Memory, str]:
    """A lamp whose second press does what you say."""
    return Machine(
        name="lamp",
        states=Lamp,
        initial=Lamp.OFF,
        final={Lamp.BROKEN} if ends else (),
        transitions=[
            On(Lamp.OFF, Press, switch_on, to={Lamp.ON}),
            On(Lamp.ON, Press, second_press, to={Lamp.OFF}),
            On(Lamp.ON, Drop, breaks, to={Lamp.BROKEN}),
            On(Lamp.ON, Due, tick),
            *([] if ends else [On(Lamp.BROKEN, Drop, breaks)]),
        ],
        timers={Due: Lamp.ON},
    )
