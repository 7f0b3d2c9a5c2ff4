"""An emit across the border, run by hand: as a task would run it, with or without an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial

import attrs
import outcome
import pytest
import trio
import trio.testing

import greenroom
from greenroom.delivery.errors import EventNotKept, JournalFull
from greenroom.delivery.run.failures.error_words import ErrorWords
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.run import Run
from greenroom.portal.border import Border
from greenroom.portal.call import Lane
from greenroom.portal.emit_call import EmitCall
from tests.delivery.backstage import Backstage, Disk, open_backstage

word: ContextVar[str] = ContextVar("word")


@attrs.define(eq=False)
class Emits:
    """Emits of one run, and what their callers got."""

    disk: Disk
    stage: Backstage
    run: Run
    lane: Lane = attrs.field(factory=lambda: Lane(Border()))
    answers: list[outcome.Outcome[Receipt]] = attrs.field(factory=list)

    def call(self, function: Callable[[], Awaitable[Receipt]]) -> EmitCall[Receipt]:
        """A call that has entered its lane."""
        call = EmitCall(function, self.lane, self.answers.append, emitter=self.run._emitter)
        call.enter()
        return call

    def piece(self, text: str) -> EmitCall[Receipt]:
        """A call of `partial_result`."""
        return self.call(partial(self.run.partial_result, text=text))

    async def ran_in_a_task(self, call: EmitCall[Receipt]) -> None:
        """It is not run by hand, and its task answers."""
        assert not call.ran_by_hand()
        with trio.CancelScope() as scope:
            await call.run(scope)

    def error(self) -> BaseException:
        """What the last caller got."""
        answer = self.answers.pop()
        assert isinstance(answer, outcome.Error)
        return answer.error

    async def texts(self) -> list[tuple[object, object]]:
        """The pieces that are kept."""
        data = [each.data for each in await self.run.history()]
        return [(each["index"], each["text"]) for each in data if "index" in each]  # type: ignore[index, call-overload, operator]


@asynccontextmanager
async def emits(errors: ErrorWords | None = None) -> AsyncIterator[Emits]:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run(errors=errors) as run:
        yield Emits(disk, stage, run)


async def test_emits_are_kept_in_the_order_of_their_calls_and_no_task_is_started() -> None:
    async with emits() as here:
        tasks = trio.lowlevel.current_statistics().tasks_living
        for text in "abc":
            assert here.piece(text).ran_by_hand()
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        await trio.testing.wait_all_tasks_blocked()
        assert [answer.unwrap().offset for answer in here.answers] == [2, 3, 4]
        assert await here.texts() == [(0, "a"), (1, "b"), (2, "c")]
        assert not here.lane.calls


async def test_an_error_before_the_event_is_sent_is_the_answer() -> None:
    async with emits() as here:
        assert here.piece("\ud800").ran_by_hand()
        assert isinstance(here.error(), greenroom.BadEvent)
        await here.ran_in_a_task(here.call(partial(here.run.final_report, result=1)))  # type: ignore[call-arg]
        assert isinstance(here.error(), TypeError)


async def test_an_event_that_was_not_kept_raises_and_its_number_is_given_to_the_next() -> None:
    async with emits() as here:
        here.disk.errors.append(JournalFull("no room"))
        assert here.piece("a").ran_by_hand()
        await trio.testing.wait_all_tasks_blocked()
        error = here.error()
        assert isinstance(error, EventNotKept)
        assert isinstance(error.__cause__, JournalFull)
        assert here.piece("a").ran_by_hand()
        await trio.testing.wait_all_tasks_blocked()
        assert await here.texts() == [(0, "a")]


async def test_an_emit_that_is_interrupted_is_not_waited_for_and_may_be_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with emits() as here:
        here.disk.hold()
        call = here.piece("a")
        assert call.ran_by_hand()
        call.interrupt()
        assert isinstance(here.error(), greenroom.RunInterrupted)
        call.interrupt()
        assert not here.answers, "it is answered once"
        here.disk.release()
        assert here.piece("b").ran_by_hand()
        await trio.testing.wait_all_tasks_blocked()
        assert await here.texts() == [(0, "a"), (1, "b")]
        assert not caplog.records, "the reply has no one to call"


async def test_in_a_lane_that_was_cut_nothing_is_emitted() -> None:
    async with emits() as here:
        here.lane.cut()
        await here.ran_in_a_task(here.piece("a"))
        assert isinstance(here.error(), greenroom.RunInterrupted)
        assert await here.texts() == []


async def test_an_emit_that_waits_for_more_than_its_reply_takes_a_task() -> None:
    async with emits() as here:
        async with here.run.text() as text:
            for token in ("sent at once, ", "and what waits"):
                text.write(token)
            assert not here.piece("a").ran_by_hand()
        with here.run.require(displayed_within=5):
            assert not here.piece("a").ran_by_hand()
        here.lane.parent = Lane(here.lane.border, texts={Written(): None})
        assert not here.piece("a").ran_by_hand()
        here.lane.parent = None
        here.disk.hold()
        by_hand = 0
        while here.piece("a").ran_by_hand():
            by_hand += 1
        assert by_hand == here.run._user.actor.statistics().capacity, "then the mailbox is full"
        here.disk.release()
        await trio.testing.wait_all_tasks_blocked()
        assert not here.run._emitter.by_hand
        assert len(here.answers) == by_hand


async def test_a_requirement_concerns_the_events_that_are_emitted_from_then_on() -> None:
    async with emits() as here:
        here.disk.hold()
        assert here.piece("a").ran_by_hand()
        with here.run.require(displayed_within=0):
            here.disk.release()
            await trio.testing.wait_all_tasks_blocked()
        here.answers.pop().unwrap()


async def test_hooks_are_called_in_the_context_of_the_caller() -> None:
    def describe(error: BaseException, run: object) -> str:
        return word.get()

    async with emits(ErrorWords(describe=describe)) as here:
        await here.run.tool_executing(tool_name="search")
        word.set("of the caller")
        completed = partial(here.run.tool_completed, tool_name="search", error=LookupError())
        call = here.call(completed)
        word.set("of another")
        assert call.ran_by_hand()
        await trio.testing.wait_all_tasks_blocked()
        last = (await here.run.history())[-1].data
        assert last["error"] == "of the caller"  # type: ignore[index, call-overload]


class Written:
    """Text that was written before."""

    async def settled(self) -> None:
        """It is not asked."""
