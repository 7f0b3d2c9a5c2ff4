"""Messages of LangChain, whole or in chunks, written into a run."""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Mapping

from greenroom.integrations.errors import ToolFailed
from greenroom.integrations.needed import needed
from greenroom.integrations.writing.approvals import REFUSED
from greenroom.integrations.writing.run_writer import RunWriter

with needed("langchain-core", "1.8.3", extra="langgraph"):
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage


class MessageWriter:
    """Writes what models and tools say. A message that came in chunks is passed over when it comes
    whole; so is a tool's result that has come before."""

    def __init__(self, out: RunWriter) -> None:
        self._out = out
        self._calls: dict[str, AIMessageChunk] = {}
        self._seen: set[str] = set()

    async def write(self, message: BaseMessage) -> None:
        """The next message or chunk."""
        if isinstance(message, AIMessageChunk):
            await self._write_chunk(message)
        elif isinstance(message, AIMessage) and self._is_new(message.id):
            await self._write_words(message)
            await self._out.end_message(message.id or "")
            await self._write_calls(message)
        elif isinstance(message, ToolMessage) and self._is_new(message.tool_call_id):
            await self._write_result(message)

    async def _write_chunk(self, chunk: AIMessageChunk) -> None:
        await self._write_words(chunk)
        name = chunk.id or ""
        if chunk.tool_call_chunks:
            before = self._calls.get(name)
            self._calls[name] = chunk if before is None else before + chunk
        if chunk.chunk_position == "last":
            self._seen.add(name)
            await self._out.end_message(name)
            if whole := self._calls.pop(name, None):
                await self._write_calls(whole)

    async def _write_words(self, message: AIMessage) -> None:
        content, name = message.content, message.id or ""
        for block in [content] if isinstance(content, str) else content:
            await self._write_block(block, name)
        if used := message.usage_metadata:
            counts = {"input_tokens": used["input_tokens"], "output_tokens": used["output_tokens"]}
            self._out.run.add_usage(counts)

    async def _write_block(self, block: object, name: str) -> None:
        if isinstance(block, str):
            await self._out.text(block, message=name)
        elif isinstance(block, Mapping):
            thought = _text(block, "thinking") or _text(block, "reasoning")
            await self._out.thought(thought, message=name)
            await self._out.text(_text(block, "text"), message=name)

    async def _write_calls(self, message: AIMessage) -> None:
        for call in message.tool_calls:
            await self._out.tool_called(call["id"] or "", call["name"], call["args"])

    async def _write_result(self, message: ToolMessage) -> None:
        call, name = message.tool_call_id, message.name or "tool"
        if message.status != "error":
            await self._out.tool_returned(call, name, message.content)
        elif REFUSED in message.text:  # the middleware puts words of its own before it
            await self._out.tool_failed(call, name, REFUSED)
        else:
            await self._out.tool_failed(call, name, ToolFailed(message.text))

    def _is_new(self, name: str | None) -> bool:
        is_new = name not in self._seen
        if name:
            self._seen.add(name)
        return is_new


def _text(block: Mapping[str, object], name: str) -> str:
    found = block.get(name)
    return found if isinstance(found, str) else ""


def last_words_of(messages: object) -> str:
    """The text of the last message, if a model wrote it."""
    for last in messages[-1:] if isinstance(messages, list) else ():
        if isinstance(last, AIMessage):
            return str(last.text)
    return ""
