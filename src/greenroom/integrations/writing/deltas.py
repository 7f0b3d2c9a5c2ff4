"""What the pieces are that clients of models stream: text, thoughts and usage (pure).

Read by their fields, so no client has to be installed: text itself, the chunks of OpenAI's chat
completions, the events of its responses, and those of Anthropic's messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from greenroom.actors.text.wording import kind_of
from greenroom.delivery.events.draft import BadEvent
from greenroom.integrations.errors import IntegrationError

NO_USAGE: Final[Mapping[str, int]] = {}


@attrs.frozen
class Delta:
    """One piece of a model's stream."""

    text: str = ""
    thought: str = ""
    usage: Mapping[str, int] = NO_USAGE


NOTHING: Final = Delta()
TEXTS: Final = {"response.output_text.delta", "response.refusal.delta"}
THOUGHTS: Final = {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}
ENDS: Final = {"response.completed", "response.incomplete"}
FAILURES: Final = {"response.failed", "error"}


def delta_of(piece: object) -> Delta:
    """What a piece of a stream says; nothing, for an event of another kind. Raises `BadEvent`, and
    `IntegrationError` for an event that ends the stream by an error."""
    if isinstance(piece, str):
        return Delta(text=piece)
    kind = getattr(piece, "type", None)
    if isinstance(kind, str):
        return _of_event(kind, piece)
    if hasattr(piece, "choices"):
        return _of_chunk(piece)
    raise BadEvent(
        f"a stream must be of str, or of events of OpenAI or Anthropic, not of {kind_of(piece)}"
    )


class StreamUsage:
    """What one stream used, of which each count is the whole so far."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def more(self, counts: Mapping[str, int]) -> dict[str, int]:
        """What has come on top."""
        before = self._counts
        more = {name: count - before.get(name, 0) for name, count in counts.items()}
        before |= {name: count for name, count in counts.items() if more[name] > 0}
        return {name: count for name, count in more.items() if count > 0}


def usage_of(found: object, *names: str) -> dict[str, int]:
    """The counts of these names that an object has."""
    return usage_of_mapping({name: getattr(found, name, None) for name in names}, *names)


def usage_of_mapping(found: Mapping[str, object], *names: str) -> dict[str, int]:
    """The counts of these names in a mapping."""
    counts = {name: found.get(name) for name in names}
    return {name: count for name, count in counts.items() if type(count) is int and count > 0}


def _of_event(kind: str, event: object) -> Delta:
    delta = getattr(event, "delta", None)
    if kind in TEXTS and isinstance(delta, str):
        return Delta(text=delta)
    if kind in THOUGHTS and isinstance(delta, str):
        return Delta(thought=delta)
    if kind in FAILURES:
        raise IntegrationError(f"the model failed: {_failure(event)}")
    if kind in ENDS:
        return Delta(usage=_tokens(getattr(event, "response", None)))
    if kind == "content_block_delta":
        return Delta(text=_text(delta, "text"), thought=_text(delta, "thinking"))
    if kind == "message_start":
        message = getattr(event, "message", None)
        return Delta(usage=usage_of(getattr(message, "usage", None), "input_tokens"))
    if kind == "message_delta":
        return Delta(usage=usage_of(getattr(event, "usage", None), "output_tokens"))
    return NOTHING


def _failure(event: object) -> str:
    found = getattr(getattr(event, "response", event), "error", None) or event
    return f"{getattr(found, 'code', None)}: {getattr(found, 'message', None)}"


def _of_chunk(chunk: object) -> Delta:
    choices = list(getattr(chunk, "choices", ()))
    delta = getattr(choices[0], "delta", None) if choices else None
    used = getattr(chunk, "usage", None)
    counts = usage_of(used, "prompt_tokens", "completion_tokens")
    names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
    return Delta(
        text=_text(delta, "content"),
        thought=_text(delta, "reasoning_content"),
        usage={names[name]: count for name, count in counts.items()},
    )


def _tokens(response: object) -> dict[str, int]:
    return usage_of(getattr(response, "usage", None), "input_tokens", "output_tokens")


def _text(holder: object, name: str) -> str:
    found = getattr(holder, name, None)
    return found if isinstance(found, str) else ""
