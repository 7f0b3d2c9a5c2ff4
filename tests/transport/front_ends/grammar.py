"""What AG-UI and the AI SDK accept, as tables: what each event opens, needs and closes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import attrs

Json: TypeAlias = dict[str, Any]  # Any: JSON, for assertions


@attrs.frozen
class Rule:
    """An event concerns the `thing` that its field `by` names. `ends`: it is the last one, and
    `all_closed`, nothing may be open then."""

    thing: str = ""
    by: str = ""
    opens: bool = False
    needs: bool = False
    closes: bool = False
    begins: bool = False
    ends: bool = False
    all_closed: bool = False


def opened_and_closed(
    thing: str, by: str, opens: str, *between: str, closes: str
) -> dict[str, Rule]:
    needing = {each: Rule(thing, by, needs=True) for each in between}
    begun = {opens: Rule(thing, by, opens=True)}
    return {**begun, **needing, closes: Rule(thing, by, needs=True, closes=True)}


AG_UI: Mapping[str, Rule] = {
    "RUN_STARTED": Rule(begins=True),
    **opened_and_closed(
        "text",
        "messageId",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        closes="TEXT_MESSAGE_END",
    ),
    **opened_and_closed("reasoning", "messageId", "REASONING_START", closes="REASONING_END"),
    **opened_and_closed(
        "thought",
        "messageId",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        closes="REASONING_MESSAGE_END",
    ),
    **opened_and_closed(
        "call", "toolCallId", "TOOL_CALL_START", "TOOL_CALL_ARGS", closes="TOOL_CALL_END"
    ),
    "TOOL_CALL_RESULT": Rule(),
    **opened_and_closed("sub-run", "subagentRunId", "SUBAGENT_STARTED", closes="SUBAGENT_FINISHED"),
    "SUBAGENT_ERROR": Rule("sub-run", "subagentRunId", needs=True, closes=True),
    "CUSTOM": Rule(),
    "RUN_FINISHED": Rule(ends=True, all_closed=True),
    "RUN_ERROR": Rule(ends=True),
}

AI_SDK: Mapping[str, Rule] = {
    "start": Rule(begins=True),
    "reset-step": Rule(),
    "message-metadata": Rule(),
    **opened_and_closed("text", "id", "text-start", "text-delta", closes="text-end"),
    **opened_and_closed(
        "thought", "id", "reasoning-start", "reasoning-delta", closes="reasoning-end"
    ),
    "tool-input-available": Rule("call", "toolCallId", opens=True),
    **dict.fromkeys(
        [
            "tool-output-available",
            "tool-output-error",
            "tool-output-denied",
            "tool-approval-request",
        ],
        Rule("call", "toolCallId", needs=True),
    ),
    "tool-approval-response": Rule("call", "approvalId", needs=True),
    "data-report": Rule(),
    "finish": Rule(ends=True),
    "abort": Rule(ends=True),
    "error": Rule(ends=True),
}


def check(events: Iterable[Json], rules: Mapping[str, Rule]) -> set[tuple[str, str]]:
    """What is open after the events. Raises `AssertionError`.

    Of what passes, every prefix passes.
    """
    opened: set[tuple[str, str]] = set()
    is_begun = is_over = False
    for event in events:
        rule = rules[event["type"]]
        key = rule.thing, event.get(rule.by, "")
        assert not is_over, f"{event} after the end"
        assert is_begun != rule.begins, f"{event} begins, or nothing did"
        assert not (rule.opens and key in opened), f"{event} opens again"
        assert not (rule.needs and key not in opened), f"{event} without its beginning"
        assert not (rule.all_closed and opened), f"{event} while {opened} is open"
        by = event.get("subagentRunId", "")
        assert not by or rule.thing == "sub-run" or ("sub-run", by) in opened, f"{event} of no run"
        opened |= {key} if rule.opens else set()
        opened -= {key} if rule.closes else set()
        is_begun, is_over = True, rule.ends
    return opened
