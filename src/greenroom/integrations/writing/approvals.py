"""Approvals: may this tool be called? The user decides."""

from __future__ import annotations

from typing import Final

import orjson

from greenroom.delivery.events.kinds import JSON
from greenroom.integrations.writing.json_values import arguments_of
from greenroom.integrations.writing.run_writer import AnyRun

YES: Final = "yes"
OPTIONS: Final[tuple[JSON, ...]] = (YES, "no")
REFUSED: Final = "The user did not allow it."
"""What the model reads of a refusal, and the user as the tool's error."""

MOST_CHARACTERS: Final = 2_000


async def is_approved(
    run: AnyRun, tool_name: str, arguments: object, *, key: str | None = None
) -> bool:
    """Ask the user whether a tool may be called with these arguments. `key`: see `Run.ask`."""
    answer = await run.ask(question(tool_name, arguments), options=OPTIONS, key=key)
    return answer == YES


def question(tool_name: str, arguments: object) -> str:
    """`May delete be called with {"path": "a"}?`"""
    shown = orjson.dumps(arguments_of(arguments)).decode()
    if len(shown) > MOST_CHARACTERS:
        shown = f"{shown[:MOST_CHARACTERS]}…"
    return f"May {tool_name} be called with {shown}?"
