"""Records on standard output: a table for people, JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from greenroom.delivery.events import Event, Kind
from greenroom.delivery.journal_reader import Numbered

Printer: TypeAlias = Callable[[Sequence[Numbered]], None]

PIPE_WIDTH = 160  # columns where there is no terminal to ask
WIDE = 110  # columns from which on there is room for dates and long names
LONGEST = 400
STYLES = {
    Kind.USER_SAID: "bold cyan",
    Kind.AGENT_FAILED: "bold red",
    Kind.AGENT_COMPLETED: "green",
    Kind.FINAL_REPORT: "green",
    Kind.TOOL_EXECUTING: "yellow",
    Kind.TOOL_COMPLETED: "yellow",
}


def print_json(records: Sequence[Numbered]) -> None:
    sys.stdout.buffer.write(b"".join(_json_line(record) for record in records))
    sys.stdout.buffer.flush()


def table_printer(console: Console | None = None) -> Printer:
    """A printer of tables that fit under each other; the first one has the heading."""
    console = console or Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    heading = True

    def show(records: Sequence[Numbered]) -> None:
        nonlocal heading
        with console.capture() as printed:  # rich would end the process at a closed pipe
            console.print(_table(records, heading=heading, wide=console.width >= WIDE))
        print(printed.get(), end="", flush=True)
        heading = False

    return show


def summary(data: object) -> str:
    """The data of an event in one line, harmless to a terminal whatever a client put in it."""
    return _printable(orjson.dumps(data).decode()[:LONGEST])


def _json_line(numbered: Numbered) -> bytes:
    """The event as it was encoded once, with what the journal knows before it."""
    ours = orjson.dumps({"number": numbered.number, "user": str(numbered.record.user)})
    return ours[:-1] + b"," + numbered.record.body[1:] + b"\n"


def _table(records: Iterable[Numbered], *, heading: bool, wide: bool) -> Table:
    table = Table(box=None, show_header=heading, header_style="dim", pad_edge=False, expand=True)
    table.add_column("time", width=19 if wide else 8)
    table.add_column("user", width=14 if wide else 8, no_wrap=True, overflow="ellipsis")
    table.add_column("offset", width=7, justify="right")
    table.add_column("run", width=8)
    table.add_column("kind", width=15)
    table.add_column("data", ratio=1, no_wrap=True, overflow="ellipsis")
    for numbered in records:
        table.add_row(*_cells(numbered, f"{'%Y-%m-%d ' if wide else ''}%H:%M:%S"))
    return table


def _cells(numbered: Numbered, time_format: str) -> list[Text]:
    record = numbered.record
    moment = datetime.fromtimestamp(record.at / 1000)
    return [
        Text(format(moment, time_format), style="dim"),
        Text(_printable(record.user)),
        Text(str(record.offset)),
        Text(record.run[-8:], style="dim"),
        Text(record.kind, style=STYLES.get(record.kind, "")),
        Text(summary(Event.decode(record.body).data)),
    ]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
