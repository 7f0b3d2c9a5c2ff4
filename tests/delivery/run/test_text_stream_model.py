"""Whatever a run's tasks do side by side, text is kept once, in order, and before what follows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs
import orjson
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.delivery.errors import EventNotKept, JournalFull
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.text_stream import TextStream
from tests.delivery.backstage import Disk, open_backstage

pytestmark = pytest.mark.requirement("R45")

Step = tuple[str, Any]

PAUSES = st.sampled_from([0.0, 0.005, 0.04, 0.041, 0.1])
TEXTS = st.sampled_from(["a", "", "b ", "é", "\U0001f600", "x" * 1500])
WRITING = st.one_of(
    st.tuples(st.just("write"), TEXTS),
    st.tuples(st.just("write"), TEXTS),
    st.tuples(st.just("sleep"), PAUSES),
    st.tuples(st.sampled_from(["flush", "cancel", "raise", "reopen"]), st.none()),
)
EMITTING = st.one_of(
    st.tuples(st.just("sleep"), PAUSES),
    st.tuples(st.sampled_from(["thought", "piece", "tool", "sub_run"]), st.none()),
)
FAILING = st.one_of(EMITTING, st.tuples(st.just("fail"), st.none()))


@attrs.define
class Written:
    """A stream and what it took."""

    stream: TextStream
    text: str = ""

    @property
    def kept(self) -> str:
        lost = self.stream.not_kept
        assert self.text.endswith(lost)
        return self.text[: len(self.text) - len(lost)]


@attrs.define
class Writer:
    """A task that writes into one stream after the other."""

    run: Run
    thinks: bool
    streams: list[Written] = attrs.field(factory=list)

    async def play(self, script: Sequence[Step]) -> None:
        steps = list(script)
        while steps:
            with trio.CancelScope() as scope, suppress(ZeroDivisionError, EventNotKept):
                await self._one_block(steps, scope)

    async def _one_block(self, steps: list[Step], scope: trio.CancelScope) -> None:
        async with self.run.thoughts() if self.thinks else self.run.text() as stream:
            written = Written(stream)
            self.streams.append(written)
            while steps:
                name, value = steps.pop(0)
                if name == "write":
                    stream.write(value)
                    written.text += value
                elif name == "sleep":
                    await trio.sleep(value)
                elif name == "flush":
                    await stream.flush()
                elif name == "cancel":
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
                elif name == "raise":
                    raise ZeroDivisionError
                else:
                    return

    @property
    def kept(self) -> str:
        return "".join(each.kept for each in self.streams)

    @property
    def lengths(self) -> list[int]:
        return [len(each.text) for each in self.streams]


@attrs.define
class Speaker:
    """A task that emits other events; `before`: what the streams had written at each."""

    run: Run
    disk: Disk
    writers: Sequence[Writer]
    before: list[tuple[int, list[list[int]]]] = attrs.field(factory=list)

    async def play(self, script: Sequence[Step]) -> None:
        for name, value in script:
            if name == "sleep":
                await trio.sleep(value)
            elif name == "fail":
                self.disk.errors.append(JournalFull("no room"))
            else:
                with suppress(EventNotKept):
                    await self._emit(name)

    async def _emit(self, name: str) -> None:
        lengths = [writer.lengths for writer in self.writers]
        receipt = await self._say(name)
        self.before.append((receipt.offset, lengths))

    async def _say(self, name: str) -> Receipt:
        if name == "thought":
            return await self.run.agent_thinking(text="#")
        if name == "piece":
            return await self.run.partial_result(text="#")
        if name == "tool":
            receipt = await self.run.tool_executing(tool_name="t")
            with suppress(EventNotKept):
                await self.run.tool_completed(tool_name="t")
            return receipt
        async with self.run.sub_run(agent="scout") as scout:
            return await scout.agent_started()


def data_of(record: Record) -> dict[str, Any]:
    data: dict[str, Any] = orjson.loads(record.body)["data"]
    return data


def pieces_of(records: Sequence[Record], kind: Kind, run: Run) -> list[Record]:
    own = [each for each in records if each.kind is kind and each.run == run.context.run]
    return [each for each in own if data_of(each)["text"] != "#"]


def text_of(records: Sequence[Record]) -> str:
    return "".join(data_of(each)["text"] for each in records)


@given(
    random_module=st.random_module(),
    text=st.lists(WRITING, max_size=15),
    thoughts=st.lists(WRITING, max_size=15),
    events=st.one_of(st.lists(EMITTING, max_size=10), st.lists(FAILING, max_size=10)),
)
@settings(deadline=None, max_examples=60)
def test_what_was_written_is_kept_once_in_order_and_before_what_is_emitted_later(
    random_module: random.Random, text: list[Step], thoughts: list[Step], events: list[Step]
) -> None:
    trio.run(_play, text, thoughts, events, clock=trio.testing.MockClock(autojump_threshold=0))


async def _play(text: list[Step], thoughts: list[Step], events: list[Step]) -> None:
    disk = Disk()
    async with open_backstage(disk) as stage:
        async with stage.run() as run:
            answer, thought = Writer(run, thinks=False), Writer(run, thinks=True)
            speaker = Speaker(run, disk, (answer, thought))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer.play, text)
                nursery.start_soon(thought.play, thoughts)
                nursery.start_soon(speaker.play, events)
            disk.errors.clear()
        records = await stage.records()
    partials = pieces_of(records, Kind.PARTIAL_RESULT, run)
    thinking = pieces_of(records, Kind.AGENT_THINKING, run)
    assert text_of(partials) == answer.kept
    for number, written in enumerate(thought.streams):
        own = [each for each in thinking if data_of(each)["thought"] == number]
        assert text_of(own) == written.kept
        assert [data_of(each)["index"] for each in own] == list(range(len(own)))
    numbers = [data_of(each)["index"] for each in records if each.kind is Kind.PARTIAL_RESULT]
    assert numbers == sorted(set(numbers))
    if not any(name == "fail" for name, _ in events):
        assert numbers == list(range(len(numbers)))
        assert answer.kept == "".join(value for name, value in text if name == "write")
    _check_order(speaker, [*partials, *thinking])


def _check_order(speaker: Speaker, pieces: list[Record]) -> None:
    """All that was written when an event was emitted, and that is kept at all, stands before it."""
    for offset, by_writer in speaker.before:
        before = sum(len(data_of(each)["text"]) for each in pieces if each.offset < offset)
        owed = 0
        for writer, lengths in zip(speaker.writers, by_writer, strict=True):
            owed += sum(
                min(length, len(written.kept))
                for length, written in zip(lengths, writer.streams, strict=False)
            )
        assert before >= owed
