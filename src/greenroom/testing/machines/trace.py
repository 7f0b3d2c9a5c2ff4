"""The steps of a machine, shown to people: as a table and as a Mermaid diagram (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence

import attrs

from greenroom.actors.machine.step import STATE_TIMEOUT, CancelTimer, StartTimer

LONGEST_CELL = 56
LONGEST_TABLE = 60
HEADER = ("step", "state", "event", "new state", "commands")


class Cause(enum.Enum):
    """Where an event came from; the value stands before it in a table."""

    GIVEN = ""
    TIMER = "⏱ "
    NEXT = "next "
    AGAIN = "again "
    START = "start"
    CRASH = "crash"


@attrs.frozen
class Taken:
    """One step. `outcome` tells, in a word or two, what came instead of a new state, if anything.

    `step` counts the events from outside: what follows from one of them has its number.
    """

    step: int
    cause: Cause
    event: object
    state: enum.Enum
    data: object
    target: enum.Enum
    after: object
    commands: tuple[object, ...] = ()
    outcome: str = ""


@attrs.frozen
class Trace:
    """The steps of one machine, in order."""

    machine: str
    steps: tuple[Taken, ...]

    def __len__(self) -> int:
        """How many events came from outside (timers and crashes included)."""
        return max((taken.step for taken in self.steps), default=0)

    def __str__(self) -> str:
        return self.table()

    def table(self) -> str:
        """Columns for a terminal: step, state, event, new state, commands (one a line)."""
        rows = [HEADER, *_abridged([cells for taken in self.steps for cells in _rows(taken)])]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def diagram(self) -> str:
        """A Mermaid `sequenceDiagram` of events, commands and states."""
        lines = [
            "sequenceDiagram",
            "    participant world",
            "    participant it as " + self.machine,
        ]
        if any(taken.cause is Cause.TIMER for taken in self.steps):
            lines.append("    participant clock")
        if self.steps:
            lines.append(f"    Note over it: {self.steps[0].state.name}")
        lines += [f"    {line}" for taken in self.steps[:LONGEST_TABLE] for line in _arrows(taken)]
        return "\n".join(lines) + "\n"

    def way(self) -> str:
        """The events alone, in one line: `Coin(), ⏱ TimeIsUp()`; `nothing` if there are none."""
        events = [
            _event(taken)
            for taken in self.steps
            if taken.cause in (Cause.GIVEN, Cause.TIMER, Cause.CRASH)
        ]
        return ", ".join(events) or "nothing"


def short(value: object, length: int = LONGEST_CELL) -> str:
    """The value in one line, cut off if need be."""
    text = " ".join(repr(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def shown(command: object) -> str:
    """A command in words; timers by name."""
    match command:
        case StartTimer(name, after):
            return f"start {_timer(name)}, {after:g} s"
        case CancelTimer(name):
            return f"cancel {_timer(name)}"
        case _:
            return short(command)


def _timer(name: object) -> str:
    return "state time-out" if name is STATE_TIMEOUT else f"timer {name}"


def _event(taken: Taken) -> str:
    if taken.cause in (Cause.START, Cause.CRASH):
        return str(taken.cause.value)
    return str(taken.cause.value) + short(taken.event)


def _new_state(taken: Taken) -> str:
    if taken.outcome:
        return taken.outcome
    return taken.target.name if taken.target is not taken.state else "·"


def _abridged(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """The head and the tail of what is too long, as of events that lead to each other for ever."""
    half = LONGEST_TABLE // 2
    if len(rows) <= LONGEST_TABLE:
        yield from rows
    else:
        yield from rows[:half]
        yield ("…", f"({len(rows) - 2 * half} lines)", "", "", "")
        yield from rows[-half:]


def _rows(taken: Taken) -> Iterator[Sequence[str]]:
    first, *others = [shown(command) for command in taken.commands] or [""]
    yield (str(taken.step), taken.state.name, _event(taken), _new_state(taken), first)
    for command in others:
        yield ("", "", "", "", command)


def _arrows(taken: Taken) -> Iterator[str]:
    who = {Cause.TIMER: "clock", Cause.NEXT: "it", Cause.AGAIN: "it"}.get(taken.cause, "world")
    if taken.cause not in (Cause.START, Cause.CRASH):
        arrow = "-x" if taken.outcome and taken.outcome != "postponed" else "->>"
        yield f"{who}{arrow}it: {_escaped(_event(taken))}"
    if taken.cause is Cause.CRASH or taken.outcome:
        yield f"Note over it: {_escaped(taken.outcome or 'crash')}"
    yield from (f"it-->>world: {_escaped(each)}" for each in _shown(taken.commands))
    if taken.target is not taken.state:
        yield f"Note over it: {taken.target.name}"


def _shown(commands: Iterable[object]) -> Iterator[str]:
    return (shown(each) for each in commands if not isinstance(each, StartTimer | CancelTimer))


def _escaped(text: str) -> str:
    """`#` and `;` end a Mermaid statement, or begin an entity in it."""
    return text.replace("#", "#35;").replace(";", "#59;").replace("#35#59;", "#35;")
