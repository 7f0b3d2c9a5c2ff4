"""The command line: `greenroom COMMAND`, each command a function of `commands/`."""

from __future__ import annotations

import enum
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError

from greenroom.actors.errors import GreenroomError
from greenroom.agent_target import BadTarget
from greenroom.commands.dead_letters import dead_letters
from greenroom.commands.demo import demo
from greenroom.commands.events import events
from greenroom.commands.ids import ids
from greenroom.commands.journal import journal
from greenroom.commands.looking import crash, crashes, tree
from greenroom.commands.machine import machine
from greenroom.commands.replay import replay
from greenroom.commands.serve import serve
from greenroom.commands.timeline import timeline
from greenroom.commands.token import token
from greenroom.commands.usage import usage
from greenroom.delivery.ids import BadId
from greenroom.settings import BadSettings
from greenroom.transport.errors import BadKeyFile

FAILED, MISUSED = 1, 2
INTERRUPTED, PIPE_CLOSED = 130, 141  # what a shell reports for SIGINT and SIGPIPE
MISUSES = (BadSettings, BadTarget, BadId, BadKeyFile)


def _told_default(value: object) -> str | None:
    """A default as --help shows it. That a flag is off, or nothing given, goes without saying."""
    if value is None or value is False or value == ():
        return None
    return str(value.value if isinstance(value, enum.Enum) else value)


app = App(
    name="greenroom",
    help="What an AI agent does reaches the right user: in order, durably, and provably seen.",
    help_epilogue="--debug, with any command, shows the traceback of an error.",
    help_format="plaintext",
    version=lambda: version("greenroom"),
    group_commands=Group("Options", sort_key=9),
    default_parameter=Parameter(show_default=_told_default),
    suppress_keyboard_interrupt=False,
)
GROUPS: dict[str, tuple[Callable[..., None] | App, ...]] = {
    "Serve": (demo, serve, token),
    "Ask a journal": (events, timeline, usage, dead_letters),
    "Look into a running server": (tree, crashes, crash),
    "Mend and develop": (journal, ids, machine, replay),
}
for _place, _title in enumerate(GROUPS):
    _group = Group(_title, sort_key=_place)
    for _command in GROUPS[_title]:
        if isinstance(_command, App):
            _command.group = (_group,)
            app.command(_command)
        else:
            app.command(_command, group=_group)
for _name, _arguments in {"tree": "[URL]", "crashes": "[URL]", "crash": "[URL] ID"}.items():
    app[_name].usage = f"Usage: greenroom {_name} [OPTIONS] {_arguments}"  # cyclopts: [ARGS]


def main() -> None:
    """The console script: exit code 0, 1 (it failed) or 2 (it was misused)."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; errors become a line on stderr and an exit code."""
    tokens = [argument for argument in arguments if argument != "--debug"]
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_none")
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001  # the one place where any error becomes words
        if "--debug" in arguments:
            traceback.print_exception(error)
        return _complain(cause_of(error))
    return 0


def _complain(error: Exception) -> int:
    for line in _lines(error):
        print(f"greenroom: error: {line}", file=sys.stderr)
    advice = _advice(error)
    if advice:
        print(f"greenroom: {advice}", file=sys.stderr)
    return MISUSED if isinstance(error, (*MISUSES, CycloptsError)) else FAILED


def _lines(error: Exception) -> list[str]:
    if isinstance(error, GreenroomError):
        return error.message.splitlines()
    if isinstance(error, UnusedCliTokensError):
        return [f"this is more than the command takes: {' '.join(error.unused_tokens or ())}"]
    if isinstance(error, CycloptsError):
        return [" ".join(str(error).split())]
    if isinstance(error, OSError) and error.strerror:
        return [f"{error.filename}: {error.strerror}" if error.filename else error.strerror]
    return [f"{type(error).__name__}: {' '.join(str(error).split())}"]


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
