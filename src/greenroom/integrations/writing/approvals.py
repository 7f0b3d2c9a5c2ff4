"""Approvals: may this tool be called? The user decides."""

from __future__ import annotations

from typing import Final

import orjson

from greenroom.delivery.events.kinds import JSON
from greenroom.integrations.writing.json_values import arguments_of
from greenroom.integrations.writing.run_writer import UNNAMED, AnyRun

YES: Final = "yes"
OPTIONS: Final[tuple[JSON, ...]] = (YES, "no")
REFUSED: Final = "The user did not allow it."
"""What the model reads of a refusal, and the user as the tool's error."""

UNWORDED: Final = "What should the agent go on with?"
"""The question of a framework that has no words for it."""

MOST_CHARACTERS: Final = 2_000
"""Of a question, whose escapes may take six bytes each."""


async def is_approved(
    run: AnyRun, tool_name: str, arguments: object, *, key: str | None = None
) -> bool:
    """Ask the user whether a tool may be called with these arguments. `key`: see `Run.ask`."""
    answer = await run.ask(question(tool_name, arguments), options=OPTIONS, key=key)
    return answer == YES


def question(tool_name: str, arguments: object) -> str:
    """`May delete be called with {"path": "a"}?`"""
    shown = orjson.dumps(arguments_of(arguments)).decode()
    return f"May {_cut(tool_name or UNNAMED)} be called with {_cut(shown)}?"


def prompt_of(asked: str) -> str:
    """What a framework asks, as a question may be: not empty, and not too long."""
    return _cut(asked.encode(errors="replace").decode()) if asked.strip() else UNWORDED


def _cut(text: str) -> str:
    return f"{text[:MOST_CHARACTERS]}…" if len(text) > MOST_CHARACTERS else text
