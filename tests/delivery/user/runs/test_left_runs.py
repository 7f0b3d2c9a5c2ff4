"""Runs that nobody else will end: whole for the user, whatever they were in the middle of."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import RunId, ToolCallId
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.events.record import Page, Record
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.reads import Question, ReadHistory
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.timeouts import GRACE_SECONDS, Timeouts
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.delivery.upkeep.journal_upkeep import open_for_upkeep
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.runs.left_runs import PAGE
from tests.delivery.backstage import ALICE, IDS, Disk, open_backstage
from tests.delivery.history.run_story import Author, write
from tests.delivery.history.whole_runs import flaws


async def ends(records: list[Record], journal: MemoryJournal | None = None) -> list[Event]:
    """What the next process adds to what an earlier one kept, once it serves the user."""
    journal = journal or MemoryJournal()
    await journal.append(records)
    async with open_backstage(journal) as stage:
        async with stage.users.lease(ALICE):
            await trio.testing.wait_all_tasks_blocked()
        return [Event.decode(each.body) for each in (await stage.records())[len(records) :]]


def events_of(records: list[Record]) -> list[Event]:
    return [Event.decode(record.body) for record in records]


@pytest.mark.requirement("R28", "R31")
async def test_open_tools_are_completed_and_sub_runs_end_before_the_runs_they_are_parts_of() -> (
    None
):
    author = Author()
    run, scout = author.run(), author.run()
    author.tell(0, run, Kind.AGENT_STARTED, agent="analyst")
    for call in ("call_1", "call_2"):
        author.tell(1, run, Kind.TOOL_EXECUTING, tool_call=call, tool_name="get_costs")
    for _ in range(2 * PAGE):  # so that it is read in pages
        author.tell(1, run, Kind.AGENT_THINKING, text="hm")
    author.tell(2, scout, Kind.AGENT_STARTED, parent=run, agent="scout")
    author.tell(3, scout, Kind.TOOL_EXECUTING, parent=run, tool_call="call_3", tool_name="look_up")
    author.tell(
        *(4, run, Kind.TOOL_COMPLETED), tool_call="call_1", tool_name="get_costs", duration_ms=1
    )
    added = await ends(author.records)
    assert [(each.run, each.kind) for each in added] == [
        (scout, Kind.TOOL_COMPLETED),
        (scout, Kind.AGENT_FAILED),
        (run, Kind.TOOL_COMPLETED),
        (run, Kind.AGENT_FAILED),
    ]
    tool, failed = added[0], added[1]
    assert (tool.parent, tool.thread, tool.request) == (run, author.thread, author.request)
    duration_ms = tool.data["duration_ms"]
    assert isinstance(duration_ms, int)
    assert duration_ms > 0
    assert dict(tool.data) == {
        "tool_call": "call_3",
        "tool_name": "look_up",
        "error": "it did not complete",
        "reference": tool.id,
        "duration_ms": duration_ms,
    }
    assert failed.data["reason"] == "lost"
    assert added[2].data["tool_call"] == "call_2"


class Storyteller:
    """Tells runs that begin within one another and use tools, in any order a user may see."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.author = Author()
        self.parents: dict[RunId, RunId | None] = {}
        self.tools: list[tuple[RunId, ToolCallId]] = []

    def go_on(self) -> None:
        match self.draw(st.sampled_from(["run", "sub-run", "tool", "tool", "done", "end", "talk"])):
            case "run":
                self.begin(None)
            case "sub-run" if self.parents:
                self.begin(self.any(list(self.parents)))
            case "tool" if self.parents:
                run, call = self.any(list(self.parents)), IDS.new(ToolCallId)
                self.tools.append((run, call))
                self.tell(run, Kind.TOOL_EXECUTING, tool_call=call, tool_name="look_up")
            case "done" if self.tools:
                run, call = self.any(self.tools)
                self.tools.remove((run, call))
                self.tell(run, Kind.TOOL_COMPLETED, tool_call=call, tool_name="look_up")
            case "end":
                self.end()
            case _ if self.parents:
                for _ in range(self.draw(st.sampled_from([1, 1, PAGE]))):
                    self.tell(self.any(list(self.parents)), Kind.AGENT_THINKING, text="hm")

    def begin(self, parent: RunId | None) -> None:
        run = self.author.run()
        self.parents[run] = parent
        self.tell(run, self.any([Kind.USER_SAID, Kind.AGENT_STARTED]), say=run)

    def end(self) -> None:
        busy = {*self.parents.values(), *(run for run, _ in self.tools)}
        if idle := [run for run in self.parents if run not in busy]:
            run = self.any(idle)
            self.tell(run, Kind.AGENT_COMPLETED, outcome="ok")
            del self.parents[run]

    def tell(self, run: RunId, kind: Kind, **data: Any) -> None:
        self.author.tell(0, run, kind, self.parents[run], **data)

    def any(self, among: list[Any]) -> Any:
        return self.draw(st.sampled_from(among))


@pytest.mark.requirement("R28", "R31", "R34")
@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 30), st.random_module())
def test_whatever_a_process_was_in_the_middle_of_the_next_one_makes_its_runs_whole(
    data: st.DataObject, steps: int, seed: Any
) -> None:
    story = Storyteller(data.draw)
    for _ in range(steps):
        story.go_on()
    records = story.author.records
    added = trio.run(ends, records)
    assert list(flaws([*events_of(records), *added])) == []
    assert len(added) == len(story.tools) + len(story.parents), "once each"


@pytest.mark.requirement("R28")
async def test_code_that_does_not_stop_leaves_no_tool_open(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang(run: Run) -> None:
        async with run.sub_run(agent="scout") as scout, scout.tool("look_up"), run.tool("wait"):
            with trio.CancelScope(shield=True):
                await trio.sleep(300)

    async def live(stage: Any) -> None:
        async with stage.users.lease(ALICE) as user:
            context, times = UserContext.new(user="alice"), Timeouts(agent_seconds=60)
            run = Run(context, agent="a", user=user, ids=IDS, timeouts=times)
            with pytest.raises(Exception, match="took longer"):
                async with run.live():
                    await hang(run)

    async with open_backstage() as stage, trio.open_nursery() as nursery:
        nursery.start_soon(functools.partial(live, stage))
        await trio.sleep(60 + GRACE_SECONDS + 0.1)
        assert list(flaws(events_of(await stage.records()))) == []
        failed = [each["reason"] for each in await stage.data() if "reason" in each]
        assert failed == ["timeout", "timeout"]
        await trio.sleep(300)
        assert list(flaws(events_of(await stage.records()))) == [], "nothing came after it"


class Forgetful(Disk):
    """Cannot answer the first times it is asked for history."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def seek(self, question: Question[Any]) -> None:
        if isinstance(question, ReadHistory):
            self.times -= 1
            if self.times >= 0:
                raise JournalFailed("the disk has hiccups")


def a_tool_executes() -> list[Record]:
    author = Author()
    run = author.run()
    author.tell(0, run, Kind.AGENT_STARTED, agent="analyst")
    call = IDS.new(ToolCallId)
    author.tell(1, run, Kind.TOOL_EXECUTING, tool_call=call, tool_name="get_costs")
    return author.records


async def test_a_journal_that_does_not_answer_delays_the_end_and_no_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk, records = Forgetful(2), a_tool_executes()
    await disk.append(records)
    async with open_backstage(disk) as stage, stage.users.lease(ALICE):
        await trio.testing.wait_all_tasks_blocked()
        assert len(await stage.records()) == len(records)
        await trio.sleep(10)
        assert list(flaws(events_of(await stage.records()))) == []


async def test_an_end_that_is_not_kept_is_tried_again_with_its_tools(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk, records = Disk(), a_tool_executes()
    await disk.append(records)
    disk.errors += [JournalFailed("no disk")] * 2
    async with open_backstage(disk) as stage, stage.users.lease(ALICE):
        await trio.sleep(10)
        assert list(flaws(events_of(await stage.records()))) == []


@asynccontextmanager
async def a_tool_of_a_live_run(disk: Disk) -> AsyncIterator[tuple[UserHandle, Run]]:
    async with open_backstage(disk) as stage, stage.users.lease(ALICE) as user:
        run = Run(UserContext.new(user="alice"), agent="a", user=user, ids=IDS)
        await run.agent_started()
        await run.tool_executing(tool_name="get_costs")
        yield user, run


async def test_what_is_under_way_when_a_run_is_left_belongs_to_it() -> None:
    disk = Disk()
    async with a_tool_of_a_live_run(disk) as (user, run), trio.open_nursery() as nursery:
        disk.hold()
        nursery.start_soon(functools.partial(run.tool_executing, tool_name="look_up"))
        await trio.testing.wait_all_tasks_blocked()
        user.leave(run.context.run)
        await trio.testing.wait_all_tasks_blocked()
        disk.release()
        await trio.testing.wait_all_tasks_blocked()
        assert list(flaws(await kept(disk))) == []


class Slow(Disk):
    """Takes a second for history."""

    async def history(self, *args: Any, **options: Any) -> Page:
        await trio.sleep(1)
        return await super().history(*args, **options)


async def test_a_run_left_at_the_last_moment_is_ended_before_its_user_is_gone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Slow()
    async with a_tool_of_a_live_run(disk) as (user, run):
        user.leave(run.context.run)
        await trio.testing.wait_all_tasks_blocked()
    assert list(flaws(await kept(disk))) == []


async def kept(disk: Disk) -> list[Event]:
    return events_of(await disk.read(ALICE, after=0, limit=99, max_bytes=1 << 20))


def test_a_tool_that_an_earlier_version_left_open_is_told_and_refuses_no_import(
    tmp_path: Path,
) -> None:
    author = Author()
    author.records += a_tool_executes()
    run = author.records[0].run
    author.tell(2, run, Kind.AGENT_FAILED, error="RunLost", message="", reason="lost")
    write(tmp_path / "old.db", *author.records)
    with open_for_upkeep(tmp_path / "old.db") as file:
        assert list(check(file.database)) == [
            f"user 'alice': run '{run}' has ended, but left 1 of its tools open"
        ]
    lines: list[bytes] = []
    export_journal(tmp_path / "old.db", lines.append)
    import_journal(tmp_path / "new.db", iter(b"".join(lines).splitlines(keepends=True)))
    with open_for_upkeep(tmp_path / "new.db") as file:
        assert len(list(check(file.database))) == 1
