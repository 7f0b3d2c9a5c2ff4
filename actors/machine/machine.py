"""A declared state machine: the table is the only source of truth (pure).

Terms and order of things follow Erlang/OTP's gen_statem(3): states, events, actions, state
time-outs, postponing. `runner` interprets the actions, `diagram` draws the table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from greenroom.actors.delay import is_delay
from greenroom.actors.errors import ActorError, Fault, TimerError
from greenroom.actors.machine.check import check_kinds, check_table, event_names
from greenroom.actors.machine.step import StartTimer, StateTimeout, Step
from greenroom.actors.machine.table import On, Table, states_of

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")


class MachineError(ActorError):
    """A machine got an event, or did something, that its table does not list."""

    fault = Fault.GREENROOM


class UnlistedPair(MachineError):
    """An event came in a state that does not take it; nothing changed."""

    def __init__(self, machine: str, state: enum.Enum, event: object, takes: str) -> None:
        name = type(event).__name__
        super().__init__(f"machine {machine!r} takes no {name} in {state.name}, only {takes}")
        self.machine = machine
        self.state = state
        self.event = event


class UndeclaredTarget(MachineError):
    """A handler went to a state its row of the table does not allow; nothing changed."""

    def __init__(self, machine: str, state: enum.Enum, event: object, target: enum.Enum) -> None:
        super().__init__(
            f"machine {machine!r} may not go from {state.name} to "
            f"{getattr(target, 'name', repr(target))} on {type(event).__name__}",
            advice="list the target in the row's `to`, or return another one",
        )
        self.machine = machine
        self.state = state
        self.event = event
        self.target = target


class NotAStep(MachineError):
    """A handler, or an enter action, returned something other than a `Step`."""

    fault = Fault.CALLER

    def __init__(self, machine: str, whose: str, answer: object) -> None:
        super().__init__(
            f"machine {machine!r}: {whose} returned {answer!r}, which is no step",
            advice="it must be a plain function that returns stay(data, …) or go(state, …)",
        )
        self.machine = machine
        self.answer = answer


class TimerWithoutHandler(MachineError):
    """A timer was to be started for an event that no row takes in the state it would come in."""

    def __init__(self, machine: str, event: object, why: str) -> None:
        super().__init__(
            f"machine {machine!r} must not start a timer for {type(event).__name__}: {why}",
            advice="give it a row, and list it in `timers` if the machine has that",
        )
        self.machine = machine
        self.event = event


class Machine(Generic[S, D, C]):
    """States, events and transitions as a table; `step` is its one look-up.

    `timers` names the events that timers deliver and the states each may come in; a machine that
    has it starts no other timer. Raises `MisdeclaredMachine` when the table contradicts itself: an
    unknown state, a pair listed twice, a state out of reach, a dead end that is not final, a final
    state with rows, a timer whose event is not taken in a state it may come in; or when a part is
    not of its kind: states that are no Enum, an event that is no class, a handler that is no
    function.
    """

    def __init__(
        self,
        *,
        name: str,
        states: type[S],
        initial: S,
        transitions: Collection[On[S, D, C]],
        final: S | Collection[S] = (),
        on_enter: Mapping[S, Callable[[D], Step[S, D, C]]] | None = None,
        timers: Mapping[type[object], S | Collection[S]] | None = None,
    ) -> None:
        check_kinds(name, _parts(states, transitions, on_enter, timers))
        self.table: Table[S, D, C] = Table(
            name,
            tuple(states),
            initial,
            states_of(final),
            tuple(transitions),
            MappingProxyType(dict(on_enter or {})),
            None if timers is None else MappingProxyType(_timer_states(timers)),
        )
        check_table(self.table)
        self.name = name
        self.states: tuple[S, ...] = self.table.states
        self.initial = initial
        self.final: frozenset[S] = self.table.final
        self.transitions: tuple[On[S, D, C], ...] = self.table.transitions
        self.on_enter: Mapping[S, Callable[[D], Step[S, D, C]]] = self.table.on_enter
        self.timers: Mapping[type[object], frozenset[S]] | None = self.table.timers
        self._rows: dict[S, dict[type[object], On[S, D, C]]] = {s: {} for s in self.states}
        self._taken = frozenset(row.event for row in self.transitions)
        for row in self.transitions:
            for source in row.sources:
                self._rows[source][row.event] = row

    def __repr__(self) -> str:
        return f"<Machine {self.name}: {len(self.states)} states, {len(self.events)} events>"

    @property
    def events(self) -> tuple[type[object], ...]:
        """Every event type of the table, in the order of its rows."""
        return tuple(dict.fromkeys(row.event for row in self.transitions))

    def takes(self, state: S) -> Mapping[type[object], On[S, D, C]]:
        """The rows of one state, by event type."""
        return MappingProxyType(self._rows[state])

    def edges(self) -> Iterator[tuple[S, type[object], S | None]]:
        """Every arrow of the table: (state, event, target); target None: the row only stays."""
        for state in self.states:
            for event, row in self._rows[state].items():
                for target in sorted(row.to, key=self.states.index) or (None,):
                    yield state, event, target

    def step(self, state: S, data: D, event: object) -> Step[S, D, C]:
        """Find the row of the pair and call its handler.

        Raises `UnlistedPair`, `UndeclaredTarget` or `NotAStep`, or whatever the handler raises.
        """
        row = self._rows[state].get(type(event))
        if row is None:
            raise UnlistedPair(self.name, state, event, event_names(self._rows[state]))
        step = row.handler(data, event)  # type: ignore[arg-type]  # it is the row's event type
        try:
            target = step.state
        except AttributeError:
            whose = f"the handler of {type(event).__name__} in {state.name}"
            raise NotAStep(self.name, whose, step) from None
        if target is not None and target is not state and target not in row.to:
            raise UndeclaredTarget(self.name, state, event, target)
        return step

    def check_timer(self, state: S, timer: StateTimeout | StartTimer) -> None:
        """Raise unless it can run for its time, and its event can be taken once it is due.

        `TimerError` for a time that is negative, not finite or no number; `TimerWithoutHandler`.
        """
        event = type(timer.event)
        if not is_delay(timer.after):
            timed = f"machine {self.name!r} in {state.name}: the timer for {event.__name__}"
            raise TimerError(timed, timer.after)
        if self.timers is not None and event not in self.timers:
            raise TimerWithoutHandler(self.name, timer.event, "`timers` does not list it")
        if isinstance(timer, StateTimeout) and event not in self._rows[state]:
            raise TimerWithoutHandler(self.name, timer.event, f"{state.name} does not take it")
        if event not in self._taken:
            raise TimerWithoutHandler(self.name, timer.event, "no row takes it")


def _parts(
    states: object, transitions: object, on_enter: object, timers: object
) -> Iterator[tuple[str, object, bool]]:
    yield "`states` must be an Enum class", states, isinstance(states, enum.EnumMeta)
    yield "`transitions` must be a list of rows", transitions, isinstance(transitions, Iterable)
    for sentence, mapping in (
        ("`on_enter` must map states to functions", on_enter),
        ("`timers` must map event types to states", timers),
    ):
        yield sentence, mapping, mapping is None or isinstance(mapping, Mapping)


def _timer_states(
    timers: Mapping[type[object], S | Collection[S]],
) -> dict[type[object], frozenset[S]]:
    return {event: states_of(states) for event, states in timers.items()}
