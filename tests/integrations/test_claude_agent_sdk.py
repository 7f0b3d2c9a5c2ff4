"""Agents of the Claude Agent SDK, over a fake transport that does what the CLI would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import greenroom
from greenroom import aio
from greenroom.testing.integrations import (
    CallTool,
    Fail,
    IntegrationConformance,
    ModelFailed,
    Script,
    Speak,
    SuiteTools,
    Think,
    Wait,
)
from greenroom.testing.integrations.script import Part, Turn
from tests.delivery.backstage import open_backstage
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("claude_agent_sdk", "claude-agent-sdk")

from claude_agent_sdk import Transport

from greenroom.integrations.claude_agent_sdk import run_query
from greenroom.integrations.errors import IntegrationError

Frame = dict[str, Any]


class ScriptedCLI(Transport):
    """Plays the script, calls the tools, and asks for permission before it deletes."""

    def __init__(self, script: Script, tools: SuiteTools) -> None:
        self.script, self.tools = script, tools
        self.written: Any = None
        self.subtype = "success"

    async def connect(self) -> None:
        self._send, self.written = anyio.create_memory_object_stream[Frame](100)

    async def write(self, data: str) -> None:
        for line in data.splitlines():
            await self._send.send(json.loads(line))

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None: ...

    async def close(self) -> None:
        self._send.close()
        self.written.close()

    async def read_messages(self) -> AsyncIterator[Frame]:
        async for frame in self.written:
            if frame["type"] == "control_request":
                yield answer_to(frame)
            if frame["type"] == "user":
                break
        while turn := self.script.next_turn():
            async for frame in self.turn(turn):
                yield frame
            if not any(isinstance(part, CallTool) for part in turn):
                break
        yield self.result()

    async def turn(self, turn: Turn) -> AsyncIterator[Frame]:
        calls = [part for part in turn if isinstance(part, CallTool)]
        for part in turn:
            async for frame in self.played(part):
                yield frame
        for call in calls:
            if call.tool_name == "delete":
                yield request(call)
        for call in calls:
            self.called = await self.outcome(call)
            yield {"type": "user", "message": {"role": "user", "content": [self.called]}}

    async def played(self, part: Part) -> AsyncIterator[Frame]:
        match part:
            case Think(deltas):
                for text in deltas:
                    yield delta(type="thinking_delta", thinking=text)
                yield said(type="thinking", thinking="".join(deltas), signature="s")
            case Speak(deltas):
                for text in deltas:
                    yield delta(type="text_delta", text=text)
                yield said(type="text", text="".join(deltas))
            case CallTool(call, name, arguments):
                yield said(type="tool_use", id=call, name=name, input=dict(arguments))
            case Wait():
                await self.script.wait(part)
            case Fail(words):
                raise ModelFailed(words)

    async def outcome(self, call: CallTool) -> Frame:
        found = {"type": "tool_result", "tool_use_id": call.call}
        if call.tool_name == "delete":
            frame = await self.written.receive()
            permission = frame["response"]["response"]
            if permission["behavior"] == "deny":
                return found | {"is_error": True, "content": permission["message"]}
        try:
            result = await getattr(self.tools, call.tool_name)(**call.arguments)
        except OSError as error:
            return found | {"is_error": True, "content": str(error)}
        return found | {"content": str(result)}

    def result(self) -> Frame:
        tokens = {
            "input_tokens": self.script.input_tokens,
            "output_tokens": self.script.output_tokens,
        }
        return {
            "type": "result",
            "subtype": self.subtype,
            "is_error": self.subtype != "success",
            "duration_ms": 1,
            "duration_api_ms": 1,
            "num_turns": 1,
            "session_id": "s",
            "usage": tokens,
            "result": "",
        }


def answer_to(frame: Frame) -> Frame:
    answer = {"subtype": "success", "request_id": frame["request_id"], "response": {}}
    return {"type": "control_response", "response": answer}


def request(call: CallTool) -> Frame:
    asked = {"subtype": "can_use_tool", "tool_name": call.tool_name, "input": dict(call.arguments)}
    return {
        "type": "control_request",
        "request_id": call.call,
        "request": asked | {"tool_use_id": call.call},
    }


def delta(**fields: str) -> Frame:
    event = {"type": "content_block_delta", "index": 0, "delta": fields}
    return {"type": "stream_event", "uuid": "u", "session_id": "s", "event": event}


def said(**block: Any) -> Frame:
    message = {"role": "assistant", "model": "fake", "content": [block]}
    return {"type": "assistant", "message": message, "session_id": "s"}


class TestClaudeAgentSDK(IntegrationConformance):
    def agent(self, script: Script, tools: SuiteTools) -> aio.Agent:
        async def agent(run: aio.Run, said: greenroom.JSON) -> None:
            await run_query(run, str(said), transport=ScriptedCLI(script, tools))

        return agent


async def test_a_query_runs_on_trio_as_well() -> None:
    script = Script(((Speak(("Hello",)),),))
    async with open_backstage() as stage:
        async with stage.run() as run:
            await run_query(run, "hi", transport=ScriptedCLI(script, SuiteTools()))
        assert await stage.kinds() == ["agent_started", "partial_result", "agent_completed"]


async def test_a_result_that_is_an_error_is_raised() -> None:
    cli = ScriptedCLI(Script(((Speak(("Hello",)),),)), SuiteTools())
    cli.subtype = "error_max_turns"
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(IntegrationError, match="error_max_turns"):
            await run_query(run, "hi", transport=cli)
