"""Text streams on the real tree: what leaves when and in which order, and how a block ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors.timers import alarm_clock
from greenroom.delivery.errors import (
    EventNotKept,
    JournalFull,
    NotDisplayed,
    NotReceived,
    RunStopped,
    UserUnavailable,
)
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.run.emitter import Emitter
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.life import Cut
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.text_buffer import BUFFER_BYTES, StreamFull
from greenroom.delivery.run.text_stream import TextStream
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import UserSays
from tests.delivery.backstage import ALICE, IDS, Backstage, Disk, open_backstage
from tests.delivery.full_mailbox import fill

pytestmark = pytest.mark.requirement("R45")

Clock = trio.testing.MockClock
INTERVAL = 0.04


def full() -> JournalFull:
    return JournalFull("no room")


async def said(stage: Backstage, user: str = "alice") -> list[str]:
    """`kind text` of each event with a text, the kind of the others; without `agent_started`."""
    await trio.testing.wait_all_tasks_blocked()  # what was emitted is durable
    kinds, data = await stage.kinds(user), await stage.data(user)
    words = {"agent_thinking": "thought", "partial_result": "text"}
    return [
        f"{words[kind]} {each['text']}" if "text" in each else kind
        for kind, each in zip(kinds[1:], data[1:], strict=True)
    ]


def text_of(said: list[str]) -> str:
    """The text of all pieces of the answer, where there is nothing else."""
    assert all(each.startswith("text ") for each in said)
    return "".join(each.removeprefix("text ") for each in said)


async def write_and_raise(run: Run, *tokens: str) -> None:
    async with run.text() as text:
        for token in tokens:
            text.write(token)
        raise ValueError("mistake")


# What leaves when


async def test_the_first_token_leaves_at_once_and_what_follows_as_one(
    autojump_clock: Clock,
) -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        for token in ("You ", "can ", "save ", "10 %"):
            text.write(token)
        await trio.testing.wait_all_tasks_blocked()
        assert await said(stage) == ["text You "]
        await trio.sleep(INTERVAL * 9 / 8 + 0.001)
        assert await said(stage) == ["text You ", "text can save 10 %"]
        assert [each["index"] for each in (await stage.data())[1:]] == [0, 1]


async def test_a_token_after_a_pause_leaves_at_once(autojump_clock: Clock) -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        for token in "abc":
            text.write(token)
            await trio.testing.wait_all_tasks_blocked()
            assert (await said(stage))[-1] == f"text {token}"
            await trio.sleep(INTERVAL)


async def test_a_steady_stream_is_kept_in_few_events_and_each_token_within_the_interval(
    autojump_clock: Clock,
) -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            for number in range(100):
                text.write(f"{number} ")
                await trio.sleep(0.01)
                kept = "".join(each["text"] for each in (await stage.data())[1:])
                waiting = number + 1 - len(kept.split())
                assert waiting <= 6  # 45 ms of them, and the newest
        pieces = [each["text"] for each in (await stage.data())[1:]]
    assert "".join(pieces).split() == [str(number) for number in range(100)]
    assert len(pieces) <= 26


async def test_much_text_leaves_before_its_time(autojump_clock: Clock) -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        text.write("a")
        await trio.testing.wait_all_tasks_blocked()
        text.write("b" * 2047)
        await trio.testing.wait_all_tasks_blocked()
        assert len(await said(stage)) == 1
        text.write("c")
        await trio.testing.wait_all_tasks_blocked()
        assert len(await said(stage)) == 2


async def test_a_token_costs_no_alarm_and_a_piece_one_at_most(autojump_clock: Clock) -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        text.write("a")
        await trio.testing.wait_all_tasks_blocked()
        before = len(alarm_clock())
        for _ in range(1000):
            text.write("b")
        assert len(alarm_clock()) == before + 1


async def test_pieces_of_many_runs_share_a_wake_up(autojump_clock: Clock) -> None:
    async with open_backstage() as stage, AsyncExitStack() as stack:
        texts = []
        for number in range(10):
            run = await stack.enter_async_context(stage.run(f"user-{number}"))
            texts.append(await stack.enter_async_context(run.text()))
            texts[-1].write("a")
        for text in texts:
            await trio.sleep(0.0004)
            text.write("b")
        deadlines = {text._sender._alarm.deadline for text in texts if text._sender._alarm}
        assert len(deadlines) == 1
        assert deadlines.pop() - trio.current_time() <= INTERVAL * 9 / 8
        await trio.sleep(INTERVAL * 9 / 8)
        assert [await said(stage, f"user-{number}") for number in range(10)] == [
            ["text a", "text b"]
        ] * 10


# In order with everything else


EVENTS: dict[str, Callable[[Run], Awaitable[object]]] = {
    "thought whole": lambda run: run.agent_thinking(text="whole"),
    "text whole": lambda run: run.partial_result(text="whole"),
    "tool_executing": lambda run: run.tool_executing(tool_name="t"),
    "final_report": lambda run: run.final_report(report=1),
    "agent_completed": lambda run: run.agent_completed(),
}


@pytest.mark.parametrize("name", EVENTS)
async def test_whatever_the_run_emits_comes_after_what_it_has_written(name: str) -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        text.write("a")
        text.write("b")
        await EVENTS[name](run)
        assert await said(stage) == ["text a", "text b", name]
        indexes = [each["index"] for each in await stage.data() if "index" in each]
        assert indexes == list(range(len(indexes)))
        await trio.testing.wait_all_tasks_blocked()


async def test_a_question_is_withdrawn_after_the_text_before_that() -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        async with run.ask("really?"):
            text.write("a")
            text.write("b")
        assert await said(stage) == ["input_requested", "text a", "text b", "input_closed"]


async def test_tools_stand_between_the_text_before_and_after_them() -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            text.write("before")
            async with run.tool("t"):
                text.write("wh")
                text.write("ile")
            text.write("after")
        assert await said(stage) == [
            "text before",
            "tool_executing",
            *(["text while"] if "text while" in await said(stage) else ["text wh", "text ile"]),
            "tool_completed",
            "text after",
        ]


async def test_thoughts_and_text_keep_their_order(autojump_clock: Clock) -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.thoughts() as thoughts, run.text() as text:
            thoughts.write("h")
            thoughts.write("m")
            text.write("s")
            text.write("o")
        assert await said(stage) == ["thought h", "thought m", "text so"]


async def test_a_sub_run_begins_after_the_text_of_its_parent() -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        text.write("a")
        text.write("b")
        async with run.sub_run(agent="scout") as scout, scout.text() as deep:
            deep.write("c")
        assert await said(stage) == [
            "text a",
            "text b",
            "agent_started",
            "text c",
            "agent_completed",
        ]
        deep_pieces = [each for each in await stage.records() if each.parent == run.context.run]
        assert [str(each.kind) for each in deep_pieces][1] == "partial_result"


async def test_each_thought_has_a_number_and_its_pieces_theirs() -> None:
    async with open_backstage() as stage, stage.run() as run:
        for words in (("a", "b"), ("c",)):
            async with run.thoughts() as thought:
                for word in words:
                    thought.write(word)
                    await thought.flush()
        data = (await stage.data())[1:]
    assert data == [
        {"text": "a", "thought": 0, "index": 0},
        {"text": "b", "thought": 0, "index": 1},
        {"text": "c", "thought": 1, "index": 0},
    ]


# How a block ends


@pytest.mark.parametrize("words", [["a"], ["a", "b"], ["a", "b", "c"]])
async def test_the_end_of_the_block_waits_until_all_is_kept(words: list[str]) -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            for word in words:
                text.write(word)
        assert "".join(each["text"] for each in (await stage.data())[1:]) == "".join(words)
        assert text.receipt is not None
        assert text.receipt.offset == len(await stage.records())


async def test_a_block_without_text_emits_nothing() -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text, run.thoughts():
            text.write("")
        assert await said(stage) == []
        assert text.receipt is None
        await text.wait_received()


async def test_a_block_that_raises_has_said_what_it_wrote() -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(ValueError, match="mistake"):
            await write_and_raise(run, "a", "b")
        assert await said(stage) == ["text a", "text b"]


async def test_a_block_cancelled_by_the_agent_has_said_what_it_wrote(
    autojump_clock: Clock,
) -> None:
    async with open_backstage() as stage, stage.run() as run:
        with trio.move_on_after(1):
            async with run.text() as text:
                await trio.sleep(0.99)
                text.write("a")
                text.write("b")
                await trio.sleep_forever()
        assert await said(stage) == ["text a", "text b"]
        await run.final_report(report=None)


@pytest.mark.parametrize(
    ("cut", "end"),
    [(Cut.CANCELLED, "agent_completed"), (Cut.TIMEOUT, "agent_failed"), (Cut.LOST, "agent_failed")],
)
async def test_a_run_that_is_cut_has_said_what_it_wrote_before_its_end(cut: Cut, end: str) -> None:
    async with open_backstage() as stage:
        try:
            async with stage.run() as run, run.text() as text:
                text.write("a")
                text.write("b")
                run._life.cut(cut)
                await trio.sleep_forever()
        except RunStopped:
            assert cut is not Cut.CANCELLED
        assert await said(stage) == ["text a", "text b", end]


async def test_a_server_that_stops_amid_a_text_has_said_what_was_written() -> None:
    has_written = trio.Event()

    async def write(user: UserHandle, context: UserContext, _: JSON, __: RunAttempt) -> None:
        run = Run(context, agent="analyst", user=user, ids=IDS)
        async with run.live(), run.text() as text:
            text.write("a")
            text.write("b")
            has_written.set()
            await trio.sleep_forever()

    async with open_backstage(converse=write) as stage, stage.users.lease(ALICE) as user:
        await user.actor.ask(UserSays("1", None, None, "hello"))
        await has_written.wait()
    assert await said(stage) == ["agent_started", "text a", "text b", "agent_failed"]


async def test_a_cancellation_while_the_end_of_the_block_waits_loses_nothing() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run() as run:
        with trio.CancelScope() as scope:
            async with run.text() as text:
                text.write("a")
                text.write("b")
                disk.hold()
                scope.cancel()
                trio.lowlevel.current_trio_token().run_sync_soon(disk.release)
        assert await said(stage) == ["text a", "text b"]


async def test_code_that_does_not_stop_has_said_what_it_wrote_before_its_run_was_ended(
    autojump_clock: Clock,
) -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, run.text() as text:
            run.cancel()
            written = 0
            with trio.CancelScope(shield=True):
                while not run.ended:
                    text.write("a")
                    text.write("b")
                    written += 1
                    await trio.sleep(0.01)
                with pytest.raises(OutOfOrder, match="the run has ended"):
                    text.write("c")
        heard = await said(stage)
        assert heard[-1] == "agent_failed"
        assert text_of(heard[:-1]) == "ab" * written


@pytest.mark.parametrize("end", ["before", "after", "report"])
async def test_text_is_written_within_its_block_and_before_the_report(end: str) -> None:
    async with open_backstage() as stage, stage.run() as run:
        text = run.text()
        if end == "before":
            with pytest.raises(OutOfOrder, match="inside of the stream's block"):
                text.write("a")
            return
        async with text:
            if end == "report":
                await run.final_report(report=None)
                with pytest.raises(OutOfOrder, match="has emitted its final report"):
                    text.write("a")
        with pytest.raises(OutOfOrder):
            text.write("a")


async def test_a_stream_begins_only_within_a_run_that_goes_on() -> None:
    async with open_backstage() as stage, stage.run() as run:
        await run.agent_completed()
        for stream in (run.text(), run.thoughts()):
            with pytest.raises(OutOfOrder, match="the run has ended"):
                async with stream:
                    pass


# What a text may be


@pytest.mark.parametrize("wrong", [None, 3, b"x", ["a"]])
async def test_what_is_no_text_is_refused_at_the_call(wrong: Any) -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            with pytest.raises(BadEvent, match="partial_result: `text` must be a str"):
                text.write(wrong)
            text.write("on")
        assert await said(stage) == ["text on"]


async def test_a_pair_cut_in_two_is_put_together_also_across_pieces(autojump_clock: Clock) -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            text.write("a\ud83d")
            await trio.sleep(1)
            text.write("\ude00\ud83d")
            await run.agent_thinking(text="hm")
            text.write("\ude01")
        assert await said(stage) == ["text a", "text \U0001f600", "thought hm", "text \U0001f601"]


@pytest.mark.parametrize("torn", [["\ude00"], ["\ud800x"], ["\ud83d", "x"], ["\ud83d", "\ud83dx"]])
async def test_half_a_pair_without_its_other_half_is_refused(torn: list[str]) -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            text.write("a")
            for each in torn[:-1]:
                text.write(each)
            with pytest.raises(BadEvent, match="half a surrogate pair"):
                text.write(torn[-1])
            text.write("b")
        assert text_of(await said(stage)) == "ab"


async def test_a_block_that_ends_in_half_a_pair_says_so_and_has_said_the_rest() -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(BadEvent, match="half a surrogate pair"):
            async with run.text() as text:
                text.write("a\ud83d")
        assert await said(stage) == ["text a"]


# What cannot be kept


async def test_a_piece_that_was_not_kept_raises_at_the_next_write_and_at_the_end(
    autojump_clock: Clock,
) -> None:
    disk, texts = Disk(), list[TextStream]()

    async def write(run: Run) -> None:
        async with run.text() as text:
            texts.append(text)
            text.write("a")
            await text.flush()
            disk.errors.append(full())
            text.write("b")
            text.write("c")
            await trio.sleep(1)
            with pytest.raises(EventNotKept) as at_write:
                text.write("d")
            assert isinstance(at_write.value.__cause__, JournalFull)

    async with open_backstage(disk) as stage, stage.run() as run:
        with pytest.raises(EventNotKept) as at_the_end:
            await write(run)
        assert isinstance(at_the_end.value.__cause__, JournalFull)
        assert texts[0].not_kept == "bc"
        async with run.text() as again:
            again.write(texts[0].not_kept)
        assert await said(stage) == ["text a", "text bc"]
        assert [each["index"] for each in (await stage.data())[1:]] == [0, 1]


async def test_text_behind_a_piece_that_was_not_kept_is_not_kept_either() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run() as run:
        disk.hold()
        text = await run.text().__aenter__()
        text.write("a")
        await trio.testing.wait_all_tasks_blocked()
        text.write("b")
        disk.errors.append(full())
        disk.release()
        with pytest.raises(EventNotKept):
            await text.__aexit__(None, None, None)
        assert text.not_kept == "ab"
        assert await said(stage) == []


async def test_a_piece_that_was_not_kept_raises_at_the_end_of_the_block() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run() as run:
        disk.errors.append(full())
        with pytest.raises(EventNotKept):
            async with run.text() as text:
                text.write("a")
        assert text.not_kept == "a"
        assert await said(stage) == []


async def test_the_error_of_the_block_goes_before_that_of_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run() as run:
        disk.errors.append(full())
        with pytest.raises(ValueError, match="mistake"):
            await write_and_raise(run, "a")
        assert "could not emit its last events" in caplog.text


async def test_text_of_a_user_whose_actors_restart_fails_and_the_run_goes_on() -> None:
    async with open_backstage() as stage, stage.run() as run:
        text = await run.text().__aenter__()
        text.write("a")
        await text.flush()
        await run._user.tree.terminate_child("outbox")
        text.write("b")
        with pytest.raises(UserUnavailable):
            await text.flush()
        with pytest.raises(UserUnavailable):
            text.write("c")
        with pytest.raises(UserUnavailable):
            await text.__aexit__(None, None, None)
        assert text.not_kept == "b"
        await run._user.tree.restart_child("outbox")
        await run.agent_thinking(text="on")
        assert await said(stage) == ["text a", "thought on"]


async def test_a_requirement_is_of_the_last_piece_at_the_end_of_the_block(
    autojump_clock: Clock,
) -> None:
    async with open_backstage() as stage, stage.run() as run:
        run.require(displayed_within=5)
        with pytest.raises(NotDisplayed):
            async with run.text() as text:
                text.write("a")
        run.requirement.set(None)
        assert await said(stage) == ["text a"]


# Backpressure


async def test_what_waits_is_bounded_in_bytes_and_the_error_says_what_to_do() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run() as run, run.text() as text:
        disk.hold()
        text.write("first")
        half = "é" * (BUFFER_BYTES // 4)
        text.write(half)
        text.write(half)
        with pytest.raises(StreamFull, match=r"drain") as error:
            text.write("x")
        assert error.value.temporary
        with pytest.raises(BadEvent, match="write it in parts"):
            text.write("x" * (BUFFER_BYTES + 1))
        disk.release()
        await text.drain()
        text.write("x")
        await text.flush()
        assert text_of(await said(stage)) == "first" + half * 2 + "x"


async def test_the_largest_text_fits_into_an_event_whatever_it_holds() -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            text.write("\x01" * BUFFER_BYTES)
        assert len((await stage.data())[1]["text"]) == BUFFER_BYTES


@attrs.frozen
class Behind:
    """One connection that is so many events behind."""

    furthest_behind: int
    connections: int = 1
    bytes_behind: int = 0


async def test_drain_waits_while_a_client_is_far_behind(autojump_clock: Clock) -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        run._user.gauge.fed = Behind(1000)
        with trio.move_on_after(60) as scope:
            await text.drain()
        assert scope.cancelled_caught
        run._user.gauge.fed = Behind(0)
        await text.drain()


async def test_text_waits_for_room_in_the_mailbox_and_what_follows_it_too() -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        faults = await fill(run._user)
        text.write("a")
        text.write("b")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: run.agent_thinking(text="c"))
            await trio.testing.wait_all_tasks_blocked()
            faults.release()
        await text.flush()
        assert (await said(stage))[-2:] == ["text ab", "thought c"]


async def test_a_full_mailbox_is_asked_again_with_the_alarm_and_not_with_each_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        faults, tries = await fill(run._user), list[str]()
        emit_piece = Emitter.emit_piece

        def counting(emitter: Emitter, kind: Kind, data: Any) -> Any:
            tries.append(data["text"])
            return emit_piece(emitter, kind, data)

        monkeypatch.setattr(Emitter, "emit_piece", counting)
        for _ in range(50):
            text.write("x" * 2048)
        assert len(tries) == 1
        faults.release()
        await text.flush()
        assert text_of(await said(stage)) == "x" * 2048 * 50


# Any async iterable, and who has it


async def tokens(words: list[str]) -> AsyncIterator[str]:
    for word in words:
        await trio.lowlevel.checkpoint()
        yield word


async def test_an_async_iterable_is_streamed_to_its_end() -> None:
    async with open_backstage() as stage, stage.run() as run:
        text = await run.stream(tokens(list("abc")))
        assert text_of(await said(stage)) == "abc"
        assert text.receipt is not None
        send, receive = trio.open_memory_channel[str](3)
        for word in "def":
            send.send_nowait(word)
        send.close()
        await run.stream(receive)
        assert text_of(await said(stage)) == "abcdef"


async def test_what_is_no_async_iterable_of_str_is_refused() -> None:
    async with open_backstage() as stage, stage.run() as run:
        for wrong in (["a"], None):
            with pytest.raises(BadEvent, match="async iterable of str"):
                await run.stream(wrong)  # type: ignore[arg-type]  # the mistake in question
        assert await said(stage) == []


async def test_an_error_of_the_iterable_comes_out_after_what_it_gave() -> None:
    async def breaks() -> AsyncIterator[str]:
        yield "a"
        yield "b"
        raise ValueError("the model hung up")

    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(ValueError, match="the model hung up"):
            await run.stream(breaks())
        assert text_of(await said(stage)) == "ab"


async def test_wait_received_is_of_the_whole_text(autojump_clock: Clock) -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            text.write("a")
            text.write("b")
            with pytest.raises(NotReceived):
                await text.wait_received(timeout=1)
            text.write("c")
        async with stage.client(offset=0) as client:
            await text.wait_received(timeout=1)
            assert client.offsets == [1, 2, 3, 4]
