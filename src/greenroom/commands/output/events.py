"""Records on standard output: a table for people, JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import orjson
from rich.table import Table
from rich.text import Text

from greenroom.actors.text.escaping import one_line
from greenroom.commands.output.printing import columns, show
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.history.times import CLOCK_WIDTH, WIDTH, clock_time, moment
from greenroom.delivery.journal.sql.reader import Numbered

Printer: TypeAlias = Callable[[Sequence[Numbered]], None]

WIDE = 110  # columns from which on there is room for dates and long names
LONGEST = 400  # characters of an event's data, on a terminal
STYLES = {
    Kind.USER_SAID: "bold cyan",
    Kind.AGENT_FAILED: "bold red",
    Kind.AGENT_COMPLETED: "green",
    Kind.FINAL_REPORT: "green",
    Kind.TOOL_EXECUTING: "yellow",
    Kind.TOOL_COMPLETED: "yellow",
    Kind.INPUT_REQUESTED: "bold magenta",
    Kind.INPUT_ANSWERED: "magenta",
    Kind.INPUT_CLOSED: "magenta",
}


def print_json(records: Sequence[Numbered]) -> None:
    sys.stdout.buffer.write(b"".join(_json_line(record) for record in records))
    sys.stdout.buffer.flush()


def table_printer() -> Printer:
    """A printer of tables that fit under each other; the first one has the heading."""
    heading = True

    def print_table(records: Sequence[Numbered]) -> None:
        nonlocal heading
        show(_table(records, heading=heading, room=columns()))
        heading = False

    return print_table


def summary(data: object, longest: int | None = LONGEST) -> str:
    """The data of an event in one line, harmless to a terminal whatever a client put in it."""
    return one_line(orjson.dumps(data).decode()[:longest])


def _json_line(numbered: Numbered) -> bytes:
    """The event as it was encoded once, with what the journal knows before it."""
    ours = orjson.dumps({"number": numbered.number, "user": str(numbered.record.user)})
    return ours[:-1] + b"," + numbered.record.body[1:] + b"\n"


def _table(records: Iterable[Numbered], *, heading: bool, room: int | None) -> Table:
    """`room`: columns of a terminal, None where a line may be of any length."""
    wide = room is None or room >= WIDE
    table = Table(box=None, show_header=heading, header_style="dim", pad_edge=False, expand=True)
    table.add_column("time", width=WIDTH if wide else CLOCK_WIDTH)
    table.add_column("user", width=14 if wide else 8, no_wrap=True, overflow="ellipsis")
    table.add_column("offset", width=7, justify="right")
    table.add_column("run", width=8)
    table.add_column("kind", width=15)
    table.add_column("data", ratio=1, no_wrap=True, overflow="ellipsis")
    for numbered in records:
        table.add_row(*_cells(numbered, moment if wide else clock_time, room and LONGEST))
    return table


def _cells(numbered: Numbered, time: Callable[[float], str], longest: int | None) -> list[Text]:
    record = numbered.record
    return [
        Text(time(record.at / 1000), style="dim"),
        Text(one_line(record.user)),
        Text(str(record.offset)),
        Text(record.run[-8:], style="dim"),
        Text(record.kind, style=STYLES.get(record.kind, "")),
        Text(summary(Event.decode(record.body).data, longest)),
    ]
