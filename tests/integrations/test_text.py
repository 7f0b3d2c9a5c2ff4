"""Any async iterable of deltas, on either host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

import greenroom
from greenroom import aio
from greenroom.integrations.errors import IntegrationError
from greenroom.integrations.text import write_deltas
from greenroom.testing.integrations import (
    Fail,
    IntegrationConformance,
    ModelFailed,
    Script,
    Speak,
    SuiteTools,
    Think,
    Wait,
)
from tests.delivery.backstage import open_backstage

Piece = SimpleNamespace


def anthropic(kind: str, text: str) -> Piece:
    """An event of Anthropic's messages."""
    delta = Piece(type=f"{kind}_delta", **{kind: text})
    return Piece(type="content_block_delta", delta=delta)


async def stream_of(script: Script) -> AsyncIterator[object]:
    """A stream as Anthropic's client makes it."""
    yield Piece(type="message_start", message=Piece(usage=Piece(input_tokens=script.input_tokens)))
    for part in script.next_turn():
        match part:
            case Think(deltas) | Speak(deltas):
                for text in deltas:
                    yield anthropic("text" if isinstance(part, Speak) else "thinking", text)
            case Wait():
                await script.wait(part)
            case Fail(words):
                raise ModelFailed(words)
    yield Piece(type="message_delta", usage=Piece(output_tokens=script.output_tokens))
    yield Piece(type="message_stop")


class TestText(IntegrationConformance):
    lacks = dict.fromkeys(("tools", "approvals"), "a stream of deltas calls no tools")

    def agent(self, script: Script, tools: SuiteTools) -> aio.Agent:
        async def agent(run: aio.Run, said: greenroom.JSON) -> None:
            await write_deltas(run, stream_of(script))

        return agent


OPENAI = [
    Piece(choices=[Piece(delta=Piece(content=None, reasoning_content="hm"))], usage=None),
    Piece(choices=[Piece(delta=Piece(content="Hel"))], usage=None),
    Piece(choices=[Piece(delta=Piece(content="lo"))], usage=None),
    Piece(choices=[], usage=Piece(prompt_tokens=7, completion_tokens=5)),
]
RESPONSES = [
    Piece(type="response.created"),
    Piece(type="response.reasoning_summary_text.delta", delta="hm"),
    Piece(type="response.output_text.delta", delta="Hel"),
    Piece(type="response.output_text.delta", delta="lo"),
    Piece(
        type="response.completed",
        response=Piece(usage=Piece(input_tokens=7, output_tokens=5)),
    ),
]


class Stream:
    """A stream as OpenAI's client makes it: it has to be closed."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces, self.is_closed = iter(pieces), False

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Piece:
        for piece in self.pieces:
            return piece
        raise StopAsyncIteration

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("pieces", [OPENAI, RESPONSES], ids=["chat", "responses"])
async def test_the_streams_of_openai_are_read_and_closed_also_on_trio(pieces: list[Piece]) -> None:
    stream = Stream(pieces)
    async with open_backstage() as stage:
        async with stage.run() as run:
            await write_deltas(run, stream)
        data = await stage.data()
    assert stream.is_closed
    assert data[1] == {"text": "hm", "thought": 0, "index": 0}
    assert "".join(str(each["text"]) for each in data[2:-1]) == "Hello"
    assert data[-1] == {"outcome": "ok", "usage": {"input_tokens": 7, "output_tokens": 5}}


@pytest.mark.parametrize(
    ("deltas", "words"),
    [
        (["text"], "must be an async iterable, not a list"),
        (Stream([3]), "must be of str, or of events of OpenAI or Anthropic, not of an int"),
    ],
)
async def test_what_is_no_stream_of_text_is_refused(deltas: object, words: str) -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(greenroom.BadEvent, match=words):
            await write_deltas(run, deltas)  # type: ignore[arg-type]


CHAT_COUNTED = [
    Piece(
        choices=[Piece(delta=Piece(content=word))],
        usage=Piece(prompt_tokens=7, completion_tokens=count),
    )
    for count, word in enumerate(("Hel", "lo", ""), 1)
]
ANTHROPIC_COUNTED = [
    Piece(type="message_start", message=Piece(usage=Piece(input_tokens=7))),
    anthropic("text", "Hello"),
    *(Piece(type="message_delta", usage=Piece(output_tokens=count)) for count in (1, 3)),
]


@pytest.mark.parametrize("pieces", [CHAT_COUNTED, ANTHROPIC_COUNTED], ids=["chat", "messages"])
async def test_counts_of_a_stream_so_far_are_not_added_up(pieces: list[Piece]) -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            await write_deltas(run, Stream(pieces))
        usage = (await stage.data())[-1]["usage"]
    assert usage == {"input_tokens": 7, "output_tokens": 3}


FAILED = Piece(code="server_error", message="key sk-123 is out of order")


@pytest.mark.parametrize(
    "end",
    [
        Piece(type="response.failed", response=Piece(error=FAILED)),
        Piece(type="error", **vars(FAILED)),
    ],
    ids=["failed", "error"],
)
async def test_a_stream_that_says_that_its_model_failed_is_no_answer(end: Piece) -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(IntegrationError, match="the model failed: server_error: key"):
            await write_deltas(run, Stream([*RESPONSES[:3], end]))
