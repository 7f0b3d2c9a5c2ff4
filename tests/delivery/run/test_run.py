"""A run on the real tree: what is emitted, in which order, and how it ends whatever happens."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing

from greenroom.delivery.errors import EventNotKept, JournalFull, NotReceived, RunStopped
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import MAX_EVENT_BYTES, BadEvent
from greenroom.delivery.events.ids import BadId, ToolCallId
from greenroom.delivery.outbox.feed import OutboxLimits
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.pressure import Pressure
from greenroom.delivery.run.run import Run
from tests.delivery.backstage import IDS, Disk, open_backstage

SEVEN = [
    "agent_started",
    "agent_thinking",
    "partial_result",
    "tool_executing",
    "tool_completed",
    "final_report",
    "agent_completed",
]


def full() -> JournalFull:
    return JournalFull("no room")


@pytest.mark.requirement("R03", "R29")
async def test_the_seven_events_are_kept_in_the_order_they_were_emitted() -> None:
    async with open_backstage() as stage, stage.client() as client:
        async with stage.run() as run:
            receipts = [
                await run.agent_started(),
                await run.agent_thinking(text="hm"),
                await run.partial_result(text="so"),
                await run.tool_executing(tool_name="costs", arguments={"month": 10}),
                await run.tool_completed(tool_name="costs", result=3, duration_ms=7),
                await run.final_report(report={"saving": "10%"}),
                await run.agent_completed(),
            ]
            await receipts[-1].wait_received()
        assert await stage.kinds() == client.kinds == SEVEN
        assert [receipt.offset for receipt in receipts] == [1, 2, 3, 4, 5, 6, 7]
        data = await stage.data()
    call = data[3]["tool_call"]
    assert ToolCallId.parse(call) == call
    assert data == [
        {"agent": "analyst"},
        {"text": "hm"},
        {"text": "so", "index": 0},
        {"tool_call": call, "tool_name": "costs", "arguments": {"month": 10}},
        {"tool_call": call, "tool_name": "costs", "result": 3, "duration_ms": 7},
        {"report": {"saving": "10%"}},
        {"outcome": "ok"},
    ]


@pytest.mark.requirement("R06", "R29")
@pytest.mark.parametrize("method", SEVEN)
def test_every_event_method_takes_keywords_only_with_types(method: str) -> None:
    _, *parameters = inspect.signature(getattr(Run, method)).parameters.values()
    assert {each.kind for each in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert all(each.annotation is not each.empty for each in parameters)


@pytest.mark.requirement("R06")
@pytest.mark.parametrize(
    ("method", "fields", "error", "names"),
    [
        ("tool_executing", {}, TypeError, "tool_name"),
        ("tool_executing", {"tool_name": 3}, BadEvent, "tool_name"),
        ("tool_executing", {"tool_name": ""}, BadEvent, "tool_name"),
        ("tool_executing", {"tool_name": "t", "arguments": {1, 2}}, BadEvent, "JSON"),
        ("tool_executing", {"tool_name": "t", "tool_call": "x"}, BadId, "tool call"),
        ("tool_completed", {}, TypeError, "tool_name"),
        ("tool_completed", {"tool_name": "open", "duration_ms": -1}, BadEvent, "duration_ms"),
        ("tool_completed", {"tool_name": "open", "duration_ms": True}, BadEvent, "duration_ms"),
        ("tool_completed", {"tool_name": "open", "error": 3}, BadEvent, "error"),
        ("tool_completed", {"tool_name": "open", "error": "e", "result": 1}, BadEvent, "not both"),
        ("tool_completed", {"tool_name": "other"}, OutOfOrder, "other"),
        ("agent_thinking", {}, TypeError, "text"),
        ("agent_thinking", {"text": None}, BadEvent, "text"),
        ("agent_thinking", {"text": "\ud800"}, BadEvent, "JSON"),
        ("partial_result", {"text": b"x"}, BadEvent, "text"),
        ("final_report", {}, TypeError, "report"),
        ("final_report", {"report": object()}, BadEvent, "JSON"),
        ("agent_completed", {"outcome": "fine"}, BadEvent, "outcome"),
        ("agent_thinking", {"text": "x" * MAX_EVENT_BYTES}, BadEvent, "at most"),
    ],
)
async def test_a_missing_or_wrong_field_raises_at_the_call_and_emits_nothing(
    method: str, fields: dict[str, Any], error: type[Exception], names: str
) -> None:
    async with open_backstage() as stage, stage.run() as run:
        await run.tool_executing(tool_name="open")
        with pytest.raises(error, match=names):
            await getattr(run, method)(**fields)
        assert await stage.kinds() == ["agent_started", "tool_executing"]
        await run.tool_completed(tool_name="open")


async def test_a_tool_is_completed_by_its_own_name() -> None:
    async with open_backstage() as stage, stage.run() as run, run.tool("a") as tool:
        with pytest.raises(BadEvent, match="tool_name"):
            await run.tool_completed(tool_name="b", tool_call=tool.id)


async def test_pieces_are_numbered_without_gaps_though_some_were_refused() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage:
        async with stage.run() as run:
            await run.partial_result(text="a")
            with pytest.raises(BadEvent):
                await run.partial_result(text="\ud800")
            disk.errors.append(full())
            with pytest.raises(EventNotKept):
                await run.partial_result(text="b")
            await run.partial_result(text="b")
        assert [each["index"] for each in await stage.data() if "index" in each] == [0, 1]


async def test_started_and_completed_may_be_said_by_hand_once() -> None:
    async with open_backstage() as stage, stage.run() as run:
        first = await run.agent_started()
        assert first.offset == 1
        with pytest.raises(OutOfOrder):
            await run.agent_started()
        await run.agent_completed()
        for again in (run.agent_completed(), run.agent_thinking(text="more")):
            with pytest.raises(OutOfOrder, match="the run has ended"):
                await again
        assert await stage.kinds() == ["agent_started", "agent_completed"]


async def test_an_input_given_too_late_is_no_secret() -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(BadEvent, match="input"):
            await run.agent_started(input="x")


# Tools


async def test_a_tool_block_says_its_result_and_how_long_it_took(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, run.tool("costs", {"month": 1}) as tool:
            await trio.sleep(1.5)
            tool.result({"sum": 3})
        started, completed = (await stage.data())[1:3]
    assert started == {"tool_call": tool.id, "tool_name": "costs", "arguments": {"month": 1}}
    assert completed == {
        "tool_call": tool.id,
        "tool_name": "costs",
        "result": {"sum": 3},
        "duration_ms": 1500,
    }


async def test_a_tool_block_says_how_it_failed_and_raises_that() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            with pytest.raises(ValueError, match="no such month"):
                async with run.tool("costs"):
                    raise ValueError("no such month")
            await run.final_report(report=None)
        assert (await stage.data())[2]["error"] == "The tool failed."


async def test_a_tool_cut_by_a_time_out_is_completed_so_that_the_run_can_report(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            with trio.move_on_after(1):
                async with run.tool("costs"):
                    await trio.sleep_forever()
            await run.final_report(report="without costs")
        assert (await stage.data())[2]["error"] == "cancelled"
        assert (await stage.kinds())[-2:] == ["final_report", "agent_completed"]


async def test_a_tool_whose_result_is_no_json_has_failed() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            with pytest.raises(BadEvent, match="JSON"):
                async with run.tool("costs") as tool:
                    tool.result(object())  # type: ignore[arg-type]  # the mistake in question
            await run.final_report(report=None)
        assert (await stage.data())[2]["error"] == "The tool failed."


async def test_a_tool_completed_by_hand_in_its_block_is_completed_once() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, run.tool("costs") as tool:
            await run.tool_completed(tool_name="costs", tool_call=tool.id, result=1)
        assert (await stage.kinds()).count("tool_completed") == 1


async def test_tools_nest_and_run_side_by_side() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, run.tool("outer") as outer:

            async def look(month: int) -> None:
                async with run.tool("costs", {"month": month}) as tool:
                    tool.result(month)

            async with trio.open_nursery() as nursery:
                for month in range(5):
                    nursery.start_soon(look, month)
            outer.result("all")
        data = await stage.data()
    began = {each["tool_call"]: each for each in data if "arguments" in each}
    ended = {each["tool_call"]: each for each in data if "result" in each}
    assert len(began) == 5
    assert {began[call]["arguments"]["month"] for call in began} == set(range(5))
    assert all(ended[call]["result"] == began[call]["arguments"]["month"] for call in began)
    assert data[-2]["result"] == "all"


@pytest.mark.requirement("R31")
async def test_leaving_the_run_closes_the_tools_that_are_open() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            await run.tool_executing(tool_name="costs")
        assert await stage.kinds() == [
            "agent_started",
            "tool_executing",
            "tool_completed",
            "agent_completed",
        ]
        assert (await stage.data())[2]["error"] == "it did not complete"


# Sub-runs


@pytest.mark.requirement("R18", "R30")
async def test_a_sub_run_carries_its_parent_and_shares_thread_user_and_request() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, run.sub_run(agent="scout", input=1) as sub:
            await sub.agent_thinking(text="hm")
            async with sub.sub_run(agent="ant"):
                pass
        records = await stage.records()
        inner = [record for record in records if record.run == sub.context.run]
        innermost = [record for record in records if record.parent == sub.context.run]
    assert [record.kind for record in inner] == SEVEN[:2] + SEVEN[-1:]
    assert {record.parent for record in inner} == {run.context.run}
    assert [record.kind for record in innermost] == ["agent_started", "agent_completed"]
    assert {record.thread for record in records} == {run.thread}
    assert {record.request for record in records} == {run.context.request}


async def test_a_sub_run_begins_only_within_a_run_that_goes_on() -> None:
    async with open_backstage() as stage, stage.run() as run:
        await run.agent_completed()
        with pytest.raises(OutOfOrder, match="sub-run"):
            async with run.sub_run(agent="scout"):
                pass


@pytest.mark.requirement("R31")
async def test_a_run_is_not_completed_while_a_sub_run_goes_on() -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.sub_run(agent="scout") as scout:
            with pytest.raises(OutOfOrder, match="sub-runs must end before: scout"):
                await run.agent_completed()
            await scout.agent_completed()
            await run.agent_completed()
        assert (await stage.kinds())[2:] == ["agent_completed", "agent_completed"]


@pytest.mark.requirement("R31")
@pytest.mark.parametrize(
    ("cancels", "ends"),
    [(False, ["agent_failed", "agent_completed"]), (True, ["agent_completed", "agent_completed"])],
)
async def test_a_sub_run_of_another_task_is_cut_before_the_run_it_is_a_part_of_ends(
    cancels: bool, ends: list[str]
) -> None:
    async def scout(run: Run, *, task_status: trio.TaskStatus[None]) -> None:
        with suppress(RunStopped):
            async with run.sub_run(agent="scout") as sub, sub.tool("look_up"):
                task_status.started()
                await trio.sleep_forever()

    async with open_backstage() as stage, trio.open_nursery() as nursery:
        async with stage.run() as run:
            await nursery.start(scout, run)
            if cancels:
                run.cancel()
        assert (await stage.kinds())[3:] == ["tool_completed", *ends]
        runs = [record.run for record in await stage.records()]
        assert runs[-1] == run.context.run
        assert run.context.run not in runs[1:-1]


async def test_a_sub_run_whose_code_does_not_stop_holds_no_run_up_for_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def scout(run: Run, *, task_status: trio.TaskStatus[None]) -> None:
        with suppress(RunStopped):
            async with run.sub_run(agent="scout"):
                task_status.started()
                with trio.CancelScope(shield=True):
                    await trio.sleep(300)

    async with open_backstage() as stage, trio.open_nursery() as nursery:
        async with stage.run() as run:
            await nursery.start(scout, run)
        assert (await stage.kinds())[2:] == ["agent_failed", "agent_completed"]
        await trio.sleep(300)
        assert len(await stage.kinds()) == 4


async def test_cancelling_a_run_ends_its_sub_runs_as_cancelled_too() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, run.sub_run(agent="scout"):
            run.cancel()
            await trio.sleep_forever()
        assert (await stage.kinds())[2:] == ["agent_completed", "agent_completed"]
        assert (await stage.data())[2:] == [{"outcome": "cancelled"}] * 2


# Ends


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.requirement("R28")
@pytest.mark.parametrize(
    "error",
    [
        ValueError("no such month"),
        OSError("caf\udce9.csv"),
        ExceptionGroup("several", [ValueError("one")]),
        Unspeakable(),
        ValueError("x" * 5_000_000),
    ],
)
async def test_a_crash_ends_the_run_as_failed_and_raises_it(error: Exception) -> None:
    async with open_backstage() as stage:
        with pytest.raises(type(error)) as caught:
            async with stage.run() as run, run.tool("costs"):
                raise error
        assert caught.value is error
        assert (await stage.kinds())[-1] == "agent_failed"
        data = (await stage.data())[-1]
    assert (data["reason"], data["error"]) == ("crash", "Error")


@pytest.mark.requirement("R28")
async def test_a_cancelled_run_ends_as_cancelled_and_raises_nothing() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            run.cancel()
            await trio.sleep_forever()
        assert run.cancelled
        assert (await stage.data())[-1] == {"outcome": "cancelled"}


async def test_a_run_cancelled_before_it_begins_begins_and_ends() -> None:
    async with open_backstage() as stage:
        context = UserContext.new(user="alice")
        async with stage.users.lease(context.user) as user:
            run = Run(context, agent="analyst", user=user, ids=IDS)
            run.cancel()
            async with run.live():
                await trio.sleep_forever()
        assert await stage.kinds() == ["agent_started", "agent_completed"]


@pytest.mark.requirement("R28")
async def test_cancellation_from_outside_ends_the_run_as_lost() -> None:
    async with open_backstage() as stage:
        with trio.CancelScope() as outside:
            async with stage.run(), trio.open_nursery():
                outside.cancel()
                await trio.sleep_forever()
        assert (await stage.kinds())[-1] == "agent_failed"
        assert (await stage.data())[-1]["reason"] == "lost"


async def test_a_run_cannot_go_on_twice() -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(OutOfOrder, match="is running already"):
            async with stage.run(context=run.context):
                pass
        assert run.context.run in run._user.live_runs


# The journal fails


@pytest.mark.requirement("R02")
async def test_what_the_journal_refuses_raises_is_never_shown_and_may_be_said_again() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.client() as client:
        async with stage.run() as run:
            await run.tool_executing(tool_name="costs")
            for method, fields in (
                ("agent_thinking", {"text": "hm"}),
                ("tool_completed", {"tool_name": "costs"}),
                ("final_report", {"report": 1}),
                ("agent_completed", {}),
            ):
                disk.errors.append(full())
                with pytest.raises(EventNotKept):
                    await getattr(run, method)(**fields)
                assert (await getattr(run, method)(**fields)).offset == len(await stage.kinds())
        assert [record.offset for record in await stage.records()] == [1, 2, 3, 4, 5, 6]
        await trio.testing.wait_all_tasks_blocked()
        assert client.kinds == await stage.kinds()


@pytest.mark.requirement("R02", "R28")
@pytest.mark.parametrize("failures", [1, 2, 5])
async def test_a_run_whose_last_words_are_refused_ends_once_there_is_room(
    failures: int, autojump_clock: trio.testing.MockClock
) -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.client() as client:
        async with stage.run() as run:
            disk.errors += [full() for _ in range(failures)]
        await trio.sleep(10)
        assert client.kinds == ["agent_started", "agent_completed"]
        assert await disk.open_runs(run.context.user) == []
        assert client.offsets == list(range(1, len(client.offsets) + 1))


@pytest.mark.requirement("R28")
async def test_a_run_whose_tools_cannot_be_closed_at_its_end_is_completed_once_they_can(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    async with open_backstage(disk) as stage:
        async with stage.run() as run:
            await run.tool_executing(tool_name="costs")
            disk.errors += [full()]
        await trio.sleep(10)
        assert (await stage.kinds())[2:] == ["tool_completed", "agent_completed"]


@pytest.mark.requirement("R28", "R44")
async def test_so_is_a_run_whose_question_cannot_be_withdrawn_at_its_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    async with open_backstage(disk) as stage:
        async with stage.run() as run, run.ask("Delete 14 files?"):
            disk.errors += [full() for _ in range(3)]
        await trio.sleep(10)
        assert (await stage.kinds())[2:] == ["input_closed", "agent_completed"]


async def test_the_error_of_the_block_is_raised_though_the_last_words_are_refused() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage:
        with pytest.raises(ValueError, match="mine"):  # noqa: PT012 - how it ends is the point
            async with stage.run():
                disk.errors += [full(), full()]
                raise ValueError("mine")


async def test_a_question_to_the_journal_that_makes_no_sense_harms_nobody_else() -> None:
    async with open_backstage() as stage, stage.run() as run:
        for _ in range(5):
            with pytest.raises(ValueError, match="limit"):
                await run.history(limit=0)
        assert [event.kind for event in await run.history()] == ["agent_started"]
        assert stage.root.crashes() == ()


async def test_a_run_reads_its_thread_back_page_by_page() -> None:
    async with open_backstage() as stage, stage.run() as run:
        for number in range(6):
            await run.partial_result(text=str(number))
        pages, before = [], None
        while page := await run.history(before=before, limit=3):
            pages.append([event.offset for event in page])
            before = page[0].offset
        assert pages == [[5, 6, 7], [2, 3, 4], [1]]


# Receipts and pressure


@pytest.mark.requirement("R03", "R12")
async def test_a_receipt_resolves_when_a_client_acked() -> None:
    async with open_backstage() as stage, stage.run() as run, trio.open_nursery() as nursery:
        receipt = await run.agent_thinking(text="hm")
        received = trio.Event()

        async def wait() -> None:
            await receipt.wait_received()
            received.set()

        nursery.start_soon(wait)
        async with stage.client(offset=0, acks=False):
            await trio.testing.wait_all_tasks_blocked()
            assert not received.is_set()
        async with stage.client(offset=0):
            await received.wait()
        await receipt.wait_received(timeout=0.1)


@pytest.mark.requirement("R02", "R12")
async def test_a_receipt_says_when_nobody_received_it_in_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage, stage.run() as run:
        receipt = await run.agent_thinking(text="hm")
        with pytest.raises(NotReceived, match="not received within 2 s"):
            await receipt.wait_received(timeout=2)
        assert trio.current_time() == pytest.approx(2, abs=0.1)


async def test_a_receipt_outlives_its_users_actor(autojump_clock: trio.testing.MockClock) -> None:
    """What was received before a crash is received after it."""
    async with open_backstage() as stage, stage.run() as run:
        receipt = await run.agent_thinking(text="hm")
        async with stage.client(offset=0):
            await receipt.wait_received()
            await stage.crash("alice")
        await receipt.wait_received(timeout=1)


async def test_pressure_tells_whether_anybody_keeps_up() -> None:
    limits = OutboxLimits(frame_events=1)
    async with open_backstage(limits=limits) as stage, stage.run() as run:
        assert run.pressure is Pressure.NOBODY_LISTENING
        async with stage.client() as client:
            assert run.pressure is Pressure.NONE
            client.socket._user = stage.users  # type: ignore[assignment]  # it stops reporting
            for _ in range(132):
                await run.agent_thinking(text="hm")
            assert run.pressure is Pressure.SOME
