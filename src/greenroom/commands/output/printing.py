"""Printing for people: with rich on a terminal, as plain text anywhere else."""

from __future__ import annotations

import sys

from rich.console import Console, RenderableType

from greenroom.actors.text.escaping import one_line
from greenroom.commands.output.plain_text import plain_lines


def on_terminal() -> bool:
    """Whether standard output is one. FORCE_COLOR makes none of a pipe."""
    return sys.stdout.isatty()


def columns() -> int | None:
    """The width of the terminal. None elsewhere: there is no end to a line."""
    return Console().width if on_terminal() else None


def show(renderable: RenderableType) -> None:
    """Print to standard output."""
    if not on_terminal():
        print(*plain_lines(renderable), sep="\n", flush=True)
        return
    console = Console()
    with console.capture() as printed:  # rich would end the process at a closed pipe
        console.print(renderable)
    print(printed.get(), end="", flush=True)


def say(sentence: str) -> None:
    """Print one line, in which an id or another name may hold anything."""
    print(one_line(sentence), flush=True)


def say_none(what: str, **asked: str | None) -> None:
    """Where a list would be: `no events (user alice, kind agent_failed)`."""
    filters = ", ".join(f"{name} {value}" for name, value in asked.items() if value is not None)
    print(one_line(f"no {what} ({filters})" if filters else f"no {what}"), flush=True)


def counted(count: int, what: str) -> str:
    """A number of things: "1 row", "2 rows"."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
