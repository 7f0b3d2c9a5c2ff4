"""The commands: `greenroom COMMAND`, each a function of `commands/`.

A command's module is imported when that command is run: `--help` and a mistyped name are answered
without any of them.
"""

from __future__ import annotations

import enum
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Final, cast

import attrs
from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError
from rich.console import Console

from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.escaping import one_line
from greenroom.actors.text.safe import safe_str
from greenroom.commands.output.streams import prepare_streams
from greenroom.interrupts import INTERRUPTED, leaving_at_once

FAILED, MISUSED = 1, 2
ENDLESS = 10_000  # columns
PIPE_CLOSED = 141  # what a shell reports for SIGPIPE


@attrs.frozen
class Command:
    """A command before it is imported. `summary` is the first line of its help."""

    place: str
    summary: str
    usage: str | None = None  # in place of cyclopts' `[ARGS]`

    def load(self) -> Callable[..., None] | App:
        module, _, name = self.place.partition(":")
        with leaving_at_once():
            return cast("Callable[..., None] | App", getattr(importlib.import_module(module), name))


GROUPS: Final[Mapping[str, Mapping[str, Command]]] = {
    "Serve": {
        "demo": Command(
            "greenroom.commands.demo:demo",
            "Serve the demo: an offline agent that answers questions about a CSV, and its page.",
        ),
        "serve": Command(
            "greenroom.commands.serve:serve", "Serve an agent to users who bring a token."
        ),
        "token": Command(
            "greenroom.commands.token:token",
            "Print a token that `greenroom serve` with the same secret takes, and nothing else.",
        ),
    },
    "Ask a journal": {
        "events": Command(
            "greenroom.commands.events:events",
            "Show the events of a journal, oldest first. A server may be writing it meanwhile.",
        ),
        "timeline": Command(
            "greenroom.commands.timeline:timeline",
            "Tell one run's story: each event, how long tools took, and which session saw what "
            "when.",
        ),
        "usage": Command(
            "greenroom.commands.usage:usage",
            "Count a journal's runs, users, events and tools. A server may be writing it "
            "meanwhile.",
        ),
        "dead-letters": Command(
            "greenroom.commands.dead_letters:dead_letters",
            "List, show, requeue, drop events that nobody received.",
        ),
    },
    "Look into a running server": {
        "tree": Command(
            "greenroom.commands.looking:tree",
            "Show the supervision tree of a running server.",
            usage="Usage: greenroom tree [OPTIONS] [URL]",
        ),
        "crashes": Command(
            "greenroom.commands.looking:crashes",
            "List the crashes that a running server remembers, newest first.",
            usage="Usage: greenroom crashes [OPTIONS] [URL]",
        ),
        "crash": Command(
            "greenroom.commands.looking:crash",
            "Show one crash: what was raised, the last messages, what led there.",
            usage="Usage: greenroom crash [OPTIONS] [URL] ID",
        ),
    },
    "Mend and develop": {
        "journal": Command(
            "greenroom.commands.journal:journal",
            "Check, migrate, compact, export, import a journal.",
        ),
        "ids": Command("greenroom.commands.ids:ids", "Look at ids."),
        "machine": Command(
            "greenroom.commands.machine:machine", "Draw a state machine from its table alone."
        ),
        "replay": Command(
            "greenroom.commands.replay:replay",
            "Feed a crash's recorded messages to a fresh actor; exit code 0 if it crashes the "
            "same way.",
        ),
    },
}
COMMANDS: Final = {name: each for group in GROUPS.values() for name, each in group.items()}


def _told_default(value: object) -> str | None:
    """A default as --help shows it. That a flag is off, or nothing given, goes without saying."""
    if value is None or value is False or value == ():
        return None
    return str(value.value if isinstance(value, enum.Enum) else value)


def app_for(tokens: Sequence[str]) -> App:
    """The command that these tokens name, imported; where they name none, what there is."""
    app = App(
        name="greenroom",
        help="What an AI agent does reaches the right user: in order, durably, and provably seen.",
        help_epilogue="--debug, with any command, shows the traceback of an error.",
        help_format="plaintext",
        help_formatter="default" if sys.stdout.isatty() else "plain",
        version=lambda: version("greenroom"),
        group_commands=Group("Options", sort_key=len(GROUPS)),
        default_parameter=Parameter(show_default=_told_default),
        suppress_keyboard_interrupt=False,
    )
    named = next((token for token in tokens if not token.startswith("-")), "")
    if named in COMMANDS:
        _add(app, named, COMMANDS[named])
    else:
        _add_summaries(app)
    return app


class Pipe(Console):
    """Where help goes that is no terminal: there is no end to a line."""

    def __init__(self) -> None:
        super().__init__(force_terminal=False, width=ENDLESS)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich's own way is exit code 1


def _add(app: App, name: str, command: Command) -> None:
    app.command(command.load())
    if command.usage is not None:
        app[name].usage = command.usage


def _add_summaries(app: App) -> None:
    for place, title in enumerate(GROUPS):
        group = Group(title, sort_key=place)
        for name, command in GROUPS[title].items():
            app.command(App(name=name, help=command.summary, group=(group,)))


def run(arguments: Sequence[str]) -> int:
    """Run a command; errors become a line on stderr and an exit code."""
    tokens = [argument for argument in arguments if argument != "--debug"]
    prepare_streams()
    try:
        app, console = app_for(tokens), Console() if sys.stdout.isatty() else Pipe()
        app(
            tokens,
            console=console,
            exit_on_error=False,
            print_error=False,
            result_action="return_none",
        )
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001  # raised again, or made an exit code of
        return _code_of(error, debug="--debug" in arguments)
    return 0


def _code_of(error: BaseException, *, debug: bool) -> int:
    """The one place where any error becomes words."""
    if _has(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _forget_stdout()
        return PIPE_CLOSED
    if not isinstance(error, Exception):
        raise error
    if debug:
        traceback.print_exception(error)
    return _complain(cause_of(error))


def _has(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether it is one, by itself or among what nurseries have wrapped."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(kind) is not None
    return isinstance(error, kind)


def _complain(error: Exception) -> int:
    for line in _lines(error):
        print(f"greenroom: error: {one_line(line)}", file=sys.stderr)
    advice = _advice(error)
    if advice:
        print(f"greenroom: {one_line(advice)}", file=sys.stderr)
    return MISUSED if _is_misuse(error) else FAILED


def _is_misuse(error: Exception) -> bool:
    from greenroom.delivery.events.ids import BadId
    from greenroom.loading.agent import BadTarget
    from greenroom.settings import BadSettings
    from greenroom.transport.errors import BadKeyFile

    return isinstance(error, (CycloptsError, BadSettings, BadTarget, BadId, BadKeyFile))


def _lines(error: Exception) -> list[str]:
    if isinstance(error, GreenroomError):
        return error.message.splitlines()
    if isinstance(error, UnusedCliTokensError):
        return [f"this is more than the command takes: {' '.join(error.unused_tokens or ())}"]
    if isinstance(error, CycloptsError):
        return [" ".join(safe_str(error).split())]
    if isinstance(error, OSError) and error.strerror:
        return [f"{error.filename}: {error.strerror}" if error.filename else error.strerror]
    return [f"{type(error).__name__}: {' '.join(safe_str(error).split())}"]


def _advice(error: Exception) -> str:
    if isinstance(error, GreenroomError):
        return error.advice
    if isinstance(error, CycloptsError):
        return "--help shows what can be given"
    if isinstance(error, OSError) and error.filename:
        return ""  # which file, and what is wrong with it, was said
    return "--debug shows the traceback"


def cause_of(error: Exception) -> Exception:
    """What to speak of when nurseries have wrapped it: an error of ours before any other."""
    found = list(_leaves(error))
    return next((each for each in found if isinstance(each, GreenroomError)), found[0])


def _leaves(error: BaseException) -> Iterator[Exception]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    elif isinstance(error, Exception):
        yield error


def _forget_stdout() -> None:
    """Let the interpreter's last flush go nowhere (docs.python.org, library/signal, SIGPIPE)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
