"""Steps of a run: the first result of a key is the result, whoever asks and whatever breaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.errors import JournalFull
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.attempts import steps
from greenroom.delivery.run.attempts.steps import (
    MAX_KEY_CHARACTERS,
    MAX_RESULT_BYTES,
    BadStep,
    StepNotKept,
)
from greenroom.delivery.run.grammar import OutOfOrder
from tests.delivery.backstage import Disk, open_backstage


class Work:
    """A function that counts its calls, and returns `value` or raises it."""

    def __init__(self, value: Any = 1) -> None:
        self.value = value
        self.calls = 0

    async def __call__(self) -> JSON:
        self.calls += 1
        await trio.lowlevel.checkpoint()
        if isinstance(self.value, Exception):
            raise self.value
        result: JSON = self.value
        return result


@pytest.mark.requirement("R56")
async def test_a_key_has_one_result_however_often_it_is_asked_for() -> None:
    first, second = Work({"id": 1}), Work({"id": 2})
    async with open_backstage() as stage, stage.run() as run:
        assert await run.step("charge", first) == await run.step("charge", second) == {"id": 1}
        assert await run.step("mail", second) == {"id": 2}
    assert (first.calls, second.calls) == (1, 1)


@pytest.mark.requirement("R56")
async def test_tasks_that_take_a_step_at_once_share_one_call() -> None:
    work, results = Work([1]), list[JSON]()
    async with open_backstage() as stage, stage.run() as run:

        async def take() -> None:
            results.append(await run.step("charge", work))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(take)
    assert (results, work.calls) == ([[1]] * 5, 1)


@pytest.mark.requirement("R56")
async def test_a_step_that_raises_has_no_result_and_may_be_taken_again() -> None:
    failing, work = Work(RuntimeError("no")), Work()
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(RuntimeError):
            await run.step("charge", failing)
        assert await run.step("charge", work) == 1


@pytest.mark.requirement("R56")
async def test_a_run_shares_its_steps_with_its_sub_runs() -> None:
    work = Work()
    async with open_backstage() as stage, stage.run() as run:
        async with run.sub_run(agent="payer") as payer:
            await payer.step("charge", work)
        assert await run.step("charge", Work(2)) == 1


@pytest.mark.requirement("R56")
async def test_another_run_has_steps_of_its_own() -> None:
    async with open_backstage() as stage:
        for value in (1, 2):
            async with stage.run() as run:
                assert await run.step("charge", Work(value)) == value


@pytest.mark.requirement("R56")
async def test_a_step_returns_the_first_time_what_it_returns_again() -> None:
    async with open_backstage() as stage, stage.run() as run:
        taken = [await run.step("pair", Work((1, None, "é"))) for _ in range(2)]
    assert taken == [[1, None, "é"]] * 2


@pytest.mark.requirement("R56")
async def test_a_result_that_the_journal_refuses_is_an_error_that_says_what_happened() -> None:
    disk, work = Disk(), Work()
    async with open_backstage(disk) as stage, stage.run() as run:
        disk.errors = [JournalFull("no room")]
        with pytest.raises(StepNotKept, match="charge"):
            await run.step("charge", work)
        assert await run.step("charge", work) == 1
    assert work.calls == 2


@pytest.mark.requirement("R56")
async def test_a_run_that_is_cancelled_still_records_what_a_step_has_done() -> None:
    work = Work()
    async with open_backstage() as stage, stage.run() as run:
        with trio.CancelScope() as scope:

            async def act() -> JSON:
                scope.cancel()
                return await uncancelled(work)

            await run.step("charge", act)
        assert await run.step("charge", Work(2)) == 1


async def uncancelled(work: Callable[[], Awaitable[JSON]]) -> JSON:
    with trio.CancelScope(shield=True):
        return await work()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", 1),
        ("k" * (MAX_KEY_CHARACTERS + 1), 1),
        (7, 1),
        ("\ud83d", 1),
        ("key", object()),
        ("key", float("nan")),
        ("key", 2**53 + 1),
        ("key", "x" * MAX_RESULT_BYTES),
    ],
    ids=lambda value: repr(value)[:12],
)
@pytest.mark.requirement("R56")
async def test_a_bad_key_or_result_is_refused_with_its_name(key: Any, value: Any) -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(BadStep, match="key"):
            await run.step(key, Work(value))
        assert await run.step("another", Work()) == 1


@pytest.mark.requirement("R56")
async def test_a_run_has_a_bounded_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_STEPS", 3)
    async with open_backstage() as stage, stage.run() as run:
        for number in range(3):
            await run.step(f"step {number}", Work(number))
        with pytest.raises(BadStep, match="at most 3"):
            await run.step("one more", Work())
        assert await run.step("step 1", Work()) == 1


@pytest.mark.requirement("R56")
async def test_a_step_within_itself_is_an_error_and_no_standstill() -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(BadStep, match="itself"):
            await run.step("loop", lambda: run.step("loop", Work()))


@pytest.mark.requirement("R56")
async def test_an_ended_run_takes_no_step() -> None:
    work = Work()
    async with open_backstage() as stage, stage.run() as run:
        await run.agent_completed()
        with pytest.raises(OutOfOrder, match="ended"):
            await run.step("charge", work)
    assert work.calls == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=9))
@pytest.mark.requirement("R56")
def test_whatever_the_order_the_first_result_of_a_key_stays(takes: list[tuple[str, int]]) -> None:
    async def main() -> None:
        expected: dict[str, JSON] = {}
        async with open_backstage() as stage, stage.run() as run:
            for key, value in takes:
                expected.setdefault(key, value)
                assert await run.step(key, Work(value)) == expected[key]

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
