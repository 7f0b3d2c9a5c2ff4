"""Text that crosses the border: in order, bounded, and with its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import greenroom
from greenroom import aio
from greenroom.delivery.run.text_buffer import BUFFER_BYTES
from tests.portal.hosts import SETTINGS, kinds


async def text_of(run: aio.Run | greenroom.Run) -> str:
    events = await run.history(limit=1000)
    return "".join(str(e.data["text"]) for e in events if e.kind == "partial_result")  # type: ignore[index, call-overload]


def test_text_keeps_its_place_among_the_other_events_of_its_run() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            async with run.text() as text:
                for number in range(20):
                    text.write(f"{number} ")
                    text.write("and ")
                    await run.agent_thinking(text=f"{number}")
            events = [e for e in await run.history() if e.kind != "agent_started"]
            assert kinds(events) == ["partial_result", "agent_thinking"] * 20
            texts = [e.data["text"] for e in events]  # type: ignore[index, call-overload]
            assert texts[::2] == [f"{number} and " for number in range(20)]

    asyncio.run(main(), debug=True)


def test_tokens_cross_together() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            async with run.text() as text:
                for _ in range(1000):
                    text.write("token ")
            assert await text_of(run) == "token " * 1000
            pieces = [e for e in await run.history() if e.kind == "partial_result"]
            assert len(pieces) < 20
            assert text.receipt is not None
            assert text.not_kept == ""

    asyncio.run(main(), debug=True)


def test_a_stream_takes_no_more_than_it_may_hold_and_drain_makes_room() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            part = "x" * (BUFFER_BYTES // 4)
            async with run.text() as text:
                with pytest.raises(greenroom.BadEvent, match="at most 131,072 bytes"):
                    text.write("x" * (BUFFER_BYTES + 1))
                written = written_until_full(text, part)
                for _ in range(20):
                    await text.drain()
                    text.write(part)
                await text.flush()
            assert len(await whole(run)) == (written + 20) * len(part)

    asyncio.run(main(), debug=True)


def written_until_full(text: aio.TextStream, part: str) -> int:
    for written in range(40):
        try:
            text.write(part)
        except greenroom.StreamFull:
            return written
    raise AssertionError("it took everything")


async def whole(run: aio.Run) -> str:
    """All of the run's text, page by page."""
    found, before = "", None
    while page := await run.history(before=before):
        texts = [e.data["text"] for e in page if e.kind == "partial_result"]  # type: ignore[index, call-overload]
        found, before = "".join(map(str, texts)) + found, page[0].offset
    return found


def test_run_stream_writes_any_async_iterable_no_faster_than_it_is_kept() -> None:
    async def tokens() -> AsyncIterator[str]:
        for _ in range(8):
            yield "y" * BUFFER_BYTES

    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            await run.stream(tokens())
            assert len(await whole(run)) == 8 * BUFFER_BYTES

    asyncio.run(main(), debug=True)


def test_what_was_written_before_an_error_or_a_cancellation_is_kept() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            runs: list[aio.Run] = []

            async def write(end: BaseException | None) -> None:
                async with runtime.run(user="alice") as run, run.text() as text:
                    runs.append(run)
                    text.write("so far")
                    if end is not None:
                        raise end
                    await asyncio.sleep(3600)

            with pytest.raises(LookupError):
                await write(LookupError("mine"))
            task = asyncio.create_task(write(None))
            while len(runs) < 2:  # noqa: ASYNC110  # it is soon over
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [await text_of(run) for run in runs] == ["so far"] * 2

    asyncio.run(main(), debug=True)


def test_text_after_the_final_report_is_refused_by_the_next_call() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            with pytest.raises(greenroom.OutOfOrder, match="final report"):
                await late(run)

    async def late(run: aio.Run) -> None:
        async with run.text() as text:
            text.write("early ")
            await run.final_report(report=1)
            text.write("late")
            with pytest.raises(greenroom.OutOfOrder, match="final report"):
                await text.flush()
            assert text.not_kept == "late"
            with pytest.raises(greenroom.OutOfOrder, match="final report"):
                text.write("later")

    asyncio.run(main(), debug=True)


def test_a_token_that_is_no_text_is_refused_at_once_and_half_a_pair_at_the_end() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            async with run.text() as text:
                with pytest.raises(greenroom.BadEvent, match="`text` must be a str, not an int"):
                    text.write(3)  # type: ignore[arg-type]  # the point
                text.write("\ud83d")
                text.write("\ude00")
            with pytest.raises(greenroom.OutOfOrder, match="inside of the stream's block"):
                text.write("after")
            assert await text_of(run) == "\U0001f600"
            with pytest.raises(greenroom.BadEvent, match="half a surrogate pair"):
                await half(run)

    async def half(run: aio.Run) -> None:
        async with run.text() as text:
            text.write("\ud83d")

    asyncio.run(main(), debug=True)
