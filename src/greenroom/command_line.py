"""The command line: what `greenroom` answers by itself, and how errors become words and exit codes.

A program pays for what it uses. The overview of the commands and the version need only the standard
library. A command's module is imported, and `parsing` with it, when that command is run.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.escaping import one_line
from greenroom.actors.text.safe import safe_str
from greenroom.commands.output.streams import prepare_streams
from greenroom.commands.table import overview
from greenroom.interrupts import INTERRUPTED, leaving_at_once

FAILED, MISUSED = 1, 2
PIPE_CLOSED = 141  # what a shell reports for SIGPIPE


def run(arguments: Sequence[str]) -> int:
    """Run a command and return the exit code. An error becomes a line on stderr."""
    tokens = [argument for argument in arguments if argument != "--debug"]
    prepare_streams()
    try:
        _answer(tokens)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001  # raised again, or made an exit code of
        return _code_of(error, debug="--debug" in arguments)
    return 0


def _answer(tokens: Sequence[str]) -> None:
    match tokens:
        case [] | ["--help"] | ["-h"]:
            print("\n".join(overview()))
        case ["--version"]:
            print(version("greenroom"))
        case _:
            with leaving_at_once():
                from greenroom.parsing import run_command
            run_command(tokens)


def _code_of(error: BaseException, *, debug: bool) -> int:
    """Turn an error into lines on stderr and an exit code; only this function does."""
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
    """Whether it is one, or a group with one in it."""
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
    from greenroom.commands.options import BadOptions
    from greenroom.delivery.events.ids import BadId
    from greenroom.loading.agent import BadTarget
    from greenroom.parsing import Misused
    from greenroom.settings import BadSettings
    from greenroom.transport.auth.keys import BadKeyFile

    return isinstance(error, (Misused, BadOptions, BadSettings, BadTarget, BadId, BadKeyFile))


def _lines(error: Exception) -> list[str]:
    if isinstance(error, GreenroomError):
        return error.message.splitlines()
    if isinstance(error, OSError) and error.strerror:
        return [f"{error.filename}: {error.strerror}" if error.filename else error.strerror]
    return [f"{type(error).__name__}: {' '.join(safe_str(error).split())}"]


def _advice(error: Exception) -> str:
    if isinstance(error, GreenroomError):
        return error.advice
    if isinstance(error, OSError) and error.filename:
        return ""  # the message named the file and what is wrong with it
    return "add --debug to see the traceback"


def cause_of(error: Exception) -> Exception:
    """The error of a group to report: greenroom's own before any other."""
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
