"""Agents of the Claude Agent SDK: `await run_query(run, said)`, on trio and under asyncio.

Tools for which Claude's permission rules say "ask" ask the user, unless the options have a
`can_use_tool` of their own.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from dataclasses import replace
from typing import Final

import attrs

from greenroom.delivery.events.kinds import JSON
from greenroom.integrations.errors import IntegrationError, ToolFailed
from greenroom.integrations.needed import needed
from greenroom.integrations.writing.approvals import REFUSED, is_approved
from greenroom.integrations.writing.deltas import usage_of_mapping
from greenroom.integrations.writing.run_writer import AnyRun, RunWriter
from greenroom.integrations.writing.streams import closing

with needed("claude-agent-sdk", "0.2.189", extra="claude-agent-sdk"):
    from claude_agent_sdk import (
        AssistantMessage,
        ClaudeAgentOptions,
        Message,
        PermissionResultAllow,
        PermissionResultDeny,
        ResultMessage,
        StreamEvent,
        TextBlock,
        ThinkingBlock,
        ToolPermissionContext,
        ToolResultBlock,
        ToolUseBlock,
        Transport,
        UserMessage,
        query,
    )

COUNTS: Final = (
    *("input_tokens", "output_tokens"),
    *("cache_creation_input_tokens", "cache_read_input_tokens"),
)


async def run_query(
    run: AnyRun,
    prompt: str,
    options: ClaudeAgentOptions | None = None,
    *,
    transport: Transport | None = None,
) -> ResultMessage:
    """Query Claude, and show the user what it thinks, says and does. A structured output becomes
    the final report. What sub-agents say stays with them. Returns the SDK's result.

    Raises what the query raises, `IntegrationError` if it ends with an error, and `NothingSaid`.
    """
    asked = options or ClaudeAgentOptions()
    if asked.can_use_tool is None and asked.permission_prompt_tool_name is None:
        asked = replace(asked, can_use_tool=Permissions(run))
    asked = replace(asked, include_partial_messages=True)
    async with RunWriter(run) as out:
        writer = _MessageWriter(out)
        async with closing(query(prompt=prompt, options=asked, transport=transport)) as messages:
            async for message in messages:
                await writer.write(message)
        result = writer.result
        if result is None or result.is_error:
            raise IntegrationError(f"Claude ended with {_ending(result)}")
        if result.structured_output is not None:
            await out.report(result.structured_output)
        out.check_said()
    return result


@attrs.frozen
class Permissions:
    """Asks a run's user whether a tool may be called: a `can_use_tool` of the SDK."""

    run: AnyRun

    async def __call__(
        self, tool_name: str, arguments: dict[str, JSON], context: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        """The callback, as the SDK knows it."""
        if await is_approved(self.run, tool_name, arguments):
            return PermissionResultAllow()
        return PermissionResultDeny(message=REFUSED)


class _MessageWriter:
    """Writes messages of the main agent. Text that was streamed is passed over when it comes
    whole."""

    def __init__(self, out: RunWriter) -> None:
        self._out = out
        self._names: dict[str, str] = {}
        self._has_streamed = False
        self.result: ResultMessage | None = None

    async def write(self, message: Message) -> None:
        """The next message."""
        if isinstance(message, ResultMessage):
            self.result = message
            self._out.run.add_usage(usage_of_mapping(message.usage or {}, *COUNTS))
        elif getattr(message, "parent_tool_use_id", None) is not None:
            return
        elif isinstance(message, StreamEvent):
            await self._write_event(message)
        elif isinstance(message, AssistantMessage | UserMessage):
            for block in message.content if not isinstance(message.content, str) else ():
                await self._write_block(block)
            if isinstance(message, AssistantMessage):
                self._has_streamed = False

    async def _write_event(self, message: StreamEvent) -> None:
        delta = message.event.get("delta")
        if message.event.get("type") == "content_block_delta" and isinstance(delta, dict):
            self._has_streamed = True
            await self._out.thought(str(delta.get("thinking", "")))
            await self._out.text(str(delta.get("text", "")))
        elif message.event.get("type") == "content_block_stop":
            await self._out.end_thought()

    async def _write_block(self, block: object) -> None:
        match block:
            case TextBlock(text=text) if not self._has_streamed:
                await self._out.text(text)
            case ThinkingBlock(thinking=thought) if not self._has_streamed:
                await self._out.thought(thought)
                await self._out.end_thought()
            case ToolUseBlock(id=call, name=name, input=arguments):
                self._names[call] = name
                await self._out.tool_called(call, name, arguments)
            case ToolResultBlock(tool_use_id=call, content=content, is_error=is_error):
                await self._write_result(call, content, is_error=bool(is_error))

    async def _write_result(self, call: str, content: object, *, is_error: bool) -> None:
        name = self._names.get(call, "tool")
        if not is_error:
            await self._out.tool_returned(call, name, content)
        elif content == REFUSED:
            await self._out.tool_failed(call, name, REFUSED)
        else:
            await self._out.tool_failed(call, name, ToolFailed(str(content)))


def _ending(result: ResultMessage | None) -> str:
    return "no result" if result is None else f"the result {result.subtype!r}: {result.errors}"
