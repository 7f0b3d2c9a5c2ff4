"""Calls of code that others wrote, from where nothing may be raised.

A callback runs in the task that has the news: an actor's last moment, the alarm clock's system
task, which serves everybody. What the callback raises is logged and goes no further.
"""

from __future__ import annotations

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
    """Call `callback(*args)`. What it raises is logged under the sentence `what`; False then.

    The sentence says nothing of the error: its words may be private, so that the log's formatter
    has to judge them. Raises `KeyboardInterrupt` and nothing else.
    """
    try:
        callback(*args, **kwargs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # other people's code may raise anything
        log_failure(logger, error, "%s", what)
        return False
    return True


def log_failure(
    log: logging.Logger,
    error: BaseException | None,
    message: str,
    *args: object,
    level: int = logging.ERROR,
) -> None:
    """Log with the error's traceback, or without one if the error cannot be shown.

    A log handler that raises even then is noted on stderr.
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
