"""A chat model of LangChain that plays a script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from greenroom.testing.integrations import CallTool, Fail, ModelFailed, Speak, Think, Wait


class ScriptedChatModel(BaseChatModel):
    """Plays the script."""

    script: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, *_: object, **__: object) -> ScriptedChatModel:
        return self

    def _generate(self, *_: object, **__: object) -> ChatResult:
        raise NotImplementedError

    async def _astream(self, *_: object, **__: object) -> AsyncIterator[ChatGenerationChunk]:
        for place, part in enumerate(self.script.next_turn()):
            match part:
                case Speak(deltas):
                    for text in deltas:
                        yield chunk(text)
                case Think(deltas):
                    for text in deltas:
                        yield chunk([{"type": "thinking", "thinking": text, "index": place}])
                case CallTool(call, name):
                    for piece in (part.json[:4], part.json[4:]):
                        yield called(place, call, name, piece)
                        call = name = None
                case Wait():
                    await self.script.wait(part)
                case Fail(words):
                    raise ModelFailed(words)
        tokens = self.script.input_tokens, self.script.output_tokens
        used = dict(zip(("input_tokens", "output_tokens"), tokens, strict=True))
        yield chunk("", usage_metadata={**used, "total_tokens": sum(tokens)})


def chunk(content: object, **fields: object) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=content, **fields))


def called(place: int, call: str | None, name: str | None, args: str) -> ChatGenerationChunk:
    piece = {"id": call, "name": name, "args": args, "index": place}
    return chunk("", tool_call_chunks=[piece])
