"""Parsing: from the words of a command line to a call of the command that they name."""

from __future__ import annotations

import enum
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import cast

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError
from rich.console import Console

from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.safe import safe_str
from greenroom.commands.table import ABOUT, COMMANDS, DEBUG_HELP, GROUPS, Subcommand
from greenroom.interrupts import leaving_at_once

ENDLESS = 10_000  # columns


class Misused(GreenroomError):
    """The words of a command line do not fit the command that they name."""


class Pipe(Console):
    """The console for help that does not go to a terminal: its lines may have any length."""

    def __init__(self) -> None:
        super().__init__(force_terminal=False, width=ENDLESS)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process with exit code 1


def run_command(tokens: Sequence[str]) -> None:
    """Import and run the command that these words name. Raises `Misused`, or as the command."""
    app, console = app_for(tokens), Console() if sys.stdout.isatty() else Pipe()
    try:
        app(
            tokens,
            console=console,
            exit_on_error=False,
            print_error=False,
            result_action="return_none",
        )
    except CycloptsError as error:
        raise Misused(
            _sentence(error), advice="run the command with --help to see its options"
        ) from error


def _sentence(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        return f"the command does not take these arguments: {' '.join(error.unused_tokens or ())}"
    return " ".join(safe_str(error).split())


def app_for(tokens: Sequence[str]) -> App:
    """The command that these tokens name, imported; the table of commands if they name none."""
    app = App(
        name="greenroom",
        help=ABOUT,
        help_epilogue=DEBUG_HELP,
        help_format="plaintext",
        help_formatter="default" if sys.stdout.isatty() else "plain",
        version=lambda: version("greenroom"),
        group_commands=Group("Options", sort_key=len(GROUPS)),
        default_parameter=Parameter(show_default=_shown_default),
        suppress_keyboard_interrupt=False,
    )
    named = next((token for token in tokens if not token.startswith("-")), "")
    if named in COMMANDS:
        _add(app, named, COMMANDS[named])
    else:
        _add_summaries(app)
    return app


def _shown_default(value: object) -> str | None:
    """A default as --help shows it. False, None and an empty tuple are not shown."""
    if value is None or value is False or value == ():
        return None
    return str(value.value if isinstance(value, enum.Enum) else value)


def _add(app: App, name: str, command: Subcommand) -> None:
    app.command(load(command))
    if command.usage is not None:
        app[name].usage = command.usage


def load(command: Subcommand) -> Callable[..., None] | App:
    """Import a command. Ctrl-C meanwhile ends the process quietly."""
    module, _, name = command.place.partition(":")
    with leaving_at_once():
        return cast("Callable[..., None] | App", getattr(importlib.import_module(module), name))


def _add_summaries(app: App) -> None:
    for place, title in enumerate(GROUPS):
        group = Group(title, sort_key=place)
        for name, command in GROUPS[title].items():
            app.command(App(name=name, help=command.summary, group=(group,)))
