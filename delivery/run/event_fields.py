"""Checks of the arguments of event methods; errors name the event and the field (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.actors.text.safe import safe_str, type_name
from greenroom.actors.text.wording import kind_of
from greenroom.delivery.errors import is_of_the_server, words_for_clients
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.observer import RunOutcome

if TYPE_CHECKING:
    from greenroom.actors.exit import ExitReason

MAX_MESSAGE = 1000
"""Characters of an error message that are shown to the user."""


def checked_text(kind: Kind, field: str, value: object) -> str:
    """A str, possibly empty. Raises `BadEvent`."""
    if not isinstance(value, str):
        raise BadEvent(f"{kind}: `{field}` must be a str, not {kind_of(value)}")
    return value


def checked_name(kind: Kind, field: str, value: object) -> str:
    """A str that is not empty. Raises `BadEvent`."""
    if not checked_text(kind, field, value):
        raise BadEvent(f"{kind}: `{field}` must not be empty")
    return str(value)


def checked_whole(kind: Kind, field: str, value: object) -> int:
    """An int of 0 or more. Raises `BadEvent`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadEvent(f"{kind}: `{field}` must be an int of 0 or more, not {value!r}")
    return value


def checked_outcome(kind: Kind, value: object) -> str:
    """The outcome of a completed run. Raises `BadEvent`."""
    if value not in ("ok", "cancelled"):
        raise BadEvent(f'{kind}: `outcome` must be "ok" or "cancelled", not {value!r}')
    return str(value)


def error_message(error: BaseException) -> str:
    """The message of an error, shortened and valid in JSON (no lone surrogates, RFC 8259 §8.2)."""
    if is_of_the_server(error):
        message = words_for_clients(error)
    else:
        message = safe_str(error, otherwise=f"<{type_name(error)} cannot be shown>")
    return message[:MAX_MESSAGE].encode("utf-8", "backslashreplace").decode()


def failure(outcome: RunOutcome, crash: BaseException | None, timeout_words: str) -> JSON:
    """The data of the `agent_failed` that ends the run; None for a run that completes."""
    if crash is not None:
        error, message, reason = type_name(crash), error_message(crash), "crash"
    elif outcome == "timeout":
        error, message, reason = "RunTimedOut", timeout_words, "timeout"
    elif outcome == "lost":
        error, message, reason = "Stopped", "the server stopped the run", "lost"
    else:
        return None
    return {"error": error, "message": message, "reason": reason}


def tool_error(reason: ExitReason) -> str:
    """The `error` of the `tool_completed` for a tool's block that ended with `reason`."""
    cause = reason.error
    return "cancelled" if cause is None else f"{type_name(cause)}: {error_message(cause)}"
