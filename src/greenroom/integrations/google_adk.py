"""Agents of Google's Agent Development Kit: `await run_agent(run, runner, said)` in an agent under
asyncio.

Tools with `require_confirmation` ask the user.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

from greenroom.aio.run import AioRun
from greenroom.integrations.errors import IntegrationError, ToolFailed
from greenroom.integrations.needed import needed
from greenroom.integrations.writing.approvals import REFUSED, is_approved
from greenroom.integrations.writing.deltas import usage_of
from greenroom.integrations.writing.hosts import check_asyncio
from greenroom.integrations.writing.run_writer import RunWriter
from greenroom.integrations.writing.streams import closing

with needed("google-adk", "2.13", extra="google-adk"):
    from google.adk.agents.run_config import RunConfig
    from google.adk.events.event import Event
    from google.adk.runners import Runner
    from google.genai.types import Content, FunctionCall, FunctionResponse, Part

CONFIRMATION: Final = "adk_request_confirmation"
"""The function call by which ADK asks: a part of its protocol with clients."""
TOKENS: Final = {
    "prompt_token_count": "input_tokens",
    "candidates_token_count": "output_tokens",
    "thoughts_token_count": "thought_tokens",
}


async def run_agent(
    run: AioRun,
    runner: Runner,
    message: str | Content,
    *,
    session_id: str | None = None,
    run_config: RunConfig | None = None,
) -> None:
    """Run a runner's agent, and show its user what it thinks, says and does. The session is that of
    the run's thread, unless you name another; it is created if need be.

    Raises what the agent raises, `IntegrationError` for an error in its events, `NothingSaid`, and
    `WrongHost` on trio.
    """
    check_asyncio(run, "google_adk.run_agent")
    user, session = str(run.context.user), session_id or str(run.thread)
    await _ensure_session(runner, user, session)
    config = run_config or RunConfig.model_validate({"streaming_mode": "sse"})
    following = _content(message) if isinstance(message, str) else message
    async with RunWriter(run) as out:
        writer = _EventWriter(out)
        while True:
            stream = runner.run_async(
                user_id=user, session_id=session, new_message=following, run_config=config
            )
            async with closing(stream) as events:
                async for event in events:
                    await writer.write(event)
            if not writer.asked:
                break
            following = await _confirmations(run, writer)
        out.check_said()


class _EventWriter:
    """Writes events. Text that was streamed is passed over when it comes whole. `asked`: the calls
    that wait for the user. `refused`: the ids of those that the user did not allow."""

    def __init__(self, out: RunWriter) -> None:
        self._out = out
        self._streamed: set[str] = set()  # by the agents that stream now
        self.asked: list[FunctionCall] = []
        self.refused: set[str] = set()

    async def write(self, event: Event) -> None:
        """The next event."""
        if event.error_code:
            raise IntegrationError(f"the agent failed: {event.error_code}: {event.error_message}")
        is_whole, speaker = not event.partial, f"{event.branch} {event.author}"
        if event.content is not None and event.author != "user":
            for part in event.content.parts or ():
                await self._write_part(event, part, speaker)
        if not is_whole:
            self._streamed.add(speaker)
        else:
            self._streamed.discard(speaker)
            await self._out.end_message(speaker)
            counts = usage_of(event.usage_metadata, *TOKENS)
            self._out.run.add_usage({TOKENS[name]: count for name, count in counts.items()})

    async def _write_part(self, event: Event, part: Part, speaker: str) -> None:
        is_whole = not event.partial
        if part.text and not (is_whole and speaker in self._streamed):
            write = self._out.thought if part.thought else self._out.text
            await write(part.text, message=speaker)
        elif part.function_call is not None and is_whole:
            await self._write_call(part.function_call)
        elif (answer := part.function_response) is not None:
            await self._write_response(answer, event.actions.requested_tool_confirmations)

    async def _write_call(self, call: FunctionCall) -> None:
        if call.name == CONFIRMATION:
            self.asked.append(call)
        else:
            await self._out.tool_called(call.id or "", call.name or "tool", call.args)

    async def _write_response(self, response: FunctionResponse, asked: Container[str]) -> None:
        call, name = response.id or "", response.name or "tool"
        found = response.response or {}
        if call in asked:
            return  # it says only that the user is to be asked
        if call in self.refused:
            await self._out.tool_failed(call, name, REFUSED)
        elif found.keys() == {"error"}:
            await self._out.tool_failed(call, name, ToolFailed(str(found["error"])))
        else:
            result = found["result"] if found.keys() == {"result"} else found
            await self._out.tool_returned(call, name, result)


async def _confirmations(run: AioRun, writer: _EventWriter) -> Content:
    parts = []
    for asked in writer.asked:
        call = _original(asked)
        approved = await is_approved(run, str(call.get("name")), call.get("args"))
        if not approved:
            writer.refused.add(str(call.get("id")))
        answer = FunctionResponse(id=asked.id, name=CONFIRMATION, response={"confirmed": approved})
        parts.append(Part(function_response=answer))
    writer.asked = []
    return Content(role="user", parts=parts)


def _original(asked: FunctionCall) -> Mapping[str, object]:
    found = (asked.args or {}).get("originalFunctionCall")
    return found if isinstance(found, Mapping) else {}


async def _ensure_session(runner: Runner, user: str, session: str) -> None:
    sessions, app = runner.session_service, runner.app_name
    if await sessions.get_session(app_name=app, user_id=user, session_id=session) is None:
        await sessions.create_session(app_name=app, user_id=user, session_id=session)


def _content(text: str) -> Content:
    return Content(role="user", parts=[Part(text=text)])
