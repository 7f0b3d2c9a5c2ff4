"""Calls of callbacks from tasks that must not fail because of them.

A callback runs in the task that has the news: in an actor's last moment, or in the alarm clock's
system task, which serves all actors. What the callback raises is logged and goes no further.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from typing import ParamSpec

from greenroom.actors.text.safe import safe_repr, type_name
from greenroom.actors.text.wording import a

P = ParamSpec("P")

logger = logging.getLogger("greenroom.actors")


def call_guarded(
    what: str, callback: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
) -> bool:
    """Call `callback(*args)`; returns False if it raised. The error is logged with the text `what`.
    So is a `TypeError` for an async function, which nothing would await.

    Do not put the error into `what`: its message may be private, which the log's formatter
    decides. Raises nothing but `KeyboardInterrupt`.
    """
    try:
        result = callback(*args, **kwargs)
        if result is not None and inspect.iscoroutine(result):
            result.close()
            raise TypeError("it must be a plain function: nothing awaits an async one")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # other people's code may raise anything
        log_failure(logger, error, "%s", what)
        return False
    return True


def is_async(function: object) -> bool:
    """Whether a call of it does nothing until it is awaited or iterated."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def log_failure(
    log: logging.Logger,
    error: BaseException | None,
    message: str,
    *args: object,
    level: int = logging.ERROR,
) -> None:
    """Log with the error's traceback, or without it if the error cannot be shown.

    If a log handler raises even then, that is printed on stderr.
    """
    try:
        log.log(level, message, *args, exc_info=error)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # noqa: BLE001  # handlers and errors are other people's code
        if error is None:
            print(f"greenroom: logging failed: {safe_repr(broken)}", file=sys.stderr)
        else:
            words = f"{message} (%s, which cannot be shown)"
            log_failure(log, None, words, *args, a(type_name(error)), level=level)
