"""Tools of MCP servers: `await call_tool(run, client, "work")`, on trio and under asyncio.

The tool's progress is a thought. With `Client(server, elicitation_callback=Elicitation(run))` what
the server wants to know is asked of the user.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import attrs

from greenroom.delivery.asks.user_ask import AskExpired, AskWithdrawn
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import JSON
from greenroom.integrations.errors import ToolFailed
from greenroom.integrations.needed import needed
from greenroom.integrations.writing.approvals import prompt_of
from greenroom.integrations.writing.json_values import as_json
from greenroom.integrations.writing.run_writer import AnyRun, RunWriter

with needed("mcp", "2.3", extra="mcp"):
    from mcp.client.client import Client
    from mcp.client.context import ClientRequestContext
    from mcp.types import (
        INVALID_PARAMS,
        CallToolResult,
        ElicitRequestParams,
        ElicitRequestURLParams,
        ElicitResult,
        ErrorData,
    )

DONE: Final = "done"
OPTIONS: Final[tuple[JSON, ...]] = (DONE, "no")


async def call_tool(
    run: AnyRun,
    client: Client,
    tool_name: str,
    arguments: Mapping[str, JSON] | None = None,
    *,
    seconds: float | None = None,
) -> CallToolResult:
    """Call a tool of a server, and show it to the user: its progress as a thought, its result, or
    that it failed. Stop ends it in the server, too. Returns the server's result, also of a tool
    that failed. Raises what `client.call_tool` raises.
    """
    async with RunWriter(run) as out:
        await out.tool_called(tool_name, tool_name, arguments)
        result = await client.call_tool(
            tool_name,
            dict(arguments or {}),
            read_timeout_seconds=seconds,
            progress_callback=partial(_write_progress, out),
        )
        if result.is_error:
            await out.tool_failed(tool_name, tool_name, ToolFailed(text_of(result)))
        else:
            await out.tool_returned(tool_name, tool_name, _value_of(result))
    return result


def text_of(result: CallToolResult) -> str:
    """The text in a tool's result."""
    texts = [getattr(block, "text", None) for block in result.content]
    return "\n".join(text for text in texts if isinstance(text, str))


def _value_of(result: CallToolResult) -> JSON:
    if result.structured_content is not None:
        return as_json(result.structured_content)
    return text_of(result) or as_json(list(result.content))


async def _write_progress(
    out: RunWriter, progress: float, total: float | None, message: str | None
) -> None:
    far = f"{progress:g}" if total is None else f"{progress:g} of {total:g}"
    await out.thought(f"{message} ({far})\n" if message else f"{far}\n")


@attrs.frozen
class Elicitation:
    """Asks a run's user what a server wants to know. A question that is not answered within
    `expires` seconds, or is withdrawn, is cancelled for the server."""

    run: AnyRun
    expires: float | None = None

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult | ErrorData:
        """The callback, as MCP's client knows it."""
        try:
            if isinstance(params, ElicitRequestURLParams):
                prompt = f"{prompt_of(params.message)}\n{params.url}"
                done = await self.run.ask(prompt, options=OPTIONS, expires=self.expires)
                return ElicitResult(action="accept" if done == DONE else "decline")
            schema = as_json(params.requested_schema)
            prompt = prompt_of(params.message)
            answer = await self.run.ask(prompt, schema=schema, expires=self.expires)
        except (AskExpired, AskWithdrawn):
            return ElicitResult(action="cancel")
        except BadEvent as error:
            return ErrorData(code=INVALID_PARAMS, message=error.message)
        return ElicitResult.model_validate({"action": "accept", "content": answer})
