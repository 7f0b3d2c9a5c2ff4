"""Timers, on a clock that jumps."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.actors.errors import TimerError
from greenroom.actors.timers import AlarmClock, Timers, alarm_clock

pytestmark = pytest.mark.requirement("R39")

Clock = trio.testing.MockClock


def timed(into: list[tuple[float, str]]) -> Timers[str]:
    return Timers(lambda message: into.append((trio.current_time(), message)))


async def test_timers_fire_when_due_in_order_of_their_deadlines(autojump_clock: Clock) -> None:
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    timers.start("b", 2, "two")
    timers.start("a", 1, "one")
    timers.start("c", 1, "also one")
    await trio.sleep(5)

    assert heard == [(1.0, "one"), (1.0, "also one"), (2.0, "two")]


async def test_starting_a_name_again_replaces_it(autojump_clock: Clock) -> None:
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    timers.start("heartbeat", 1, "first")
    await trio.sleep(0.5)
    timers.start("heartbeat", 1, "second")
    await trio.sleep(5)

    assert heard == [(1.5, "second")]


async def test_long_timers_that_are_due_at_nearly_the_same_time_fire_together(
    autojump_clock: Clock,
) -> None:
    """Each time that the clock wakes up costs ten times as much as a timer that fires with it."""
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    for name, after in ("a", 0.501), ("b", 0.515), ("c", 0.516), ("short", 0.401):
        timers.start(name, after, name)
    await trio.sleep(5)

    assert heard == [(0.401, "short"), (33 / 64, "a"), (33 / 64, "b"), (34 / 64, "c")]


async def test_a_cancelled_timer_stays_silent(autojump_clock: Clock) -> None:
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    timers.start("a", 1, "one")
    timers.start("b", 1, "two")

    timers.cancel("a")
    timers.cancel("a")
    assert "a" not in timers
    assert "b" in timers
    timers.cancel_all()
    await trio.sleep(5)

    assert heard == []


async def test_an_earlier_alarm_shortens_the_sleep_of_the_clock(autojump_clock: Clock) -> None:
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    timers.start("late", 10, "late")
    await trio.testing.wait_all_tasks_blocked()
    timers.start("soon", 1, "soon")
    await trio.sleep(2)

    assert heard == [(1.0, "soon")]


async def test_a_timer_that_fired_may_start_the_next(autojump_clock: Clock) -> None:
    ticks: list[float] = []
    timers: Timers[str]

    def tick(_: str) -> None:
        ticks.append(trio.current_time())
        timers.start("tick", 1, "tick")

    timers = Timers(tick)
    timers.start("tick", 1, "tick")
    await trio.sleep(3.5)
    timers.cancel_all()

    assert ticks == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("after", [-1, math.inf, math.nan, "1", None])
async def test_a_delay_that_never_comes_is_refused(after: float) -> None:
    with pytest.raises(TimerError, match="0 or more seconds"):
        alarm_clock().set(after, lambda: None)


async def test_a_timer_restarted_for_ever_holds_no_growing_memory(autojump_clock: Clock) -> None:
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    for number in range(10_000):
        timers.start("heartbeat", 30, str(number))

    assert len(alarm_clock()) < 4 * AlarmClock.SWEEP_ABOVE
    await trio.sleep(31)
    assert heard == [(30.0, "9999")]
    assert len(alarm_clock()) == 0


def test_each_run_has_its_own_clock() -> None:
    async def clock() -> AlarmClock:
        await trio.lowlevel.checkpoint()
        assert alarm_clock() is alarm_clock()
        return alarm_clock()

    assert trio.run(clock) is not trio.run(clock)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("start"), st.sampled_from("abc"), st.integers(0, 5)),
            st.tuples(st.just("cancel"), st.sampled_from("abc"), st.just(0)),
            st.tuples(st.just("sleep"), st.just(""), st.integers(1, 3)),
        )
    )
)
def test_timers_agree_with_a_list_of_deadlines(steps: list[tuple[str, str, int]]) -> None:
    async def main() -> None:
        heard: list[tuple[float, str]] = []
        timers = timed(heard)
        expected: list[tuple[float, str]] = []
        running: dict[str, float] = {}
        for kind, name, number in steps:
            await trio.testing.wait_all_tasks_blocked()
            if kind == "start":
                timers.start(name, number, name)
                running[name] = trio.current_time() + number
            elif kind == "cancel":
                timers.cancel(name)
                running.pop(name, None)
            else:
                await trio.sleep(number)
            settle(running, expected, trio.current_time())
        await trio.sleep(10)
        settle(running, expected, math.inf)
        assert sorted(expected) == sorted(heard)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def settle(running: dict[str, float], expected: list[tuple[float, str]], now: float) -> None:
    for name, deadline in list(running.items()):
        if deadline <= now:
            expected.append((deadline, name))
            del running[name]


async def test_a_timer_that_is_due_asks_for_the_seconds_that_are_left(
    autojump_clock: Clock,
) -> None:
    """Work may move its deadline again and again: the timer runs on, and no message is sent."""
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    answers: list[float | None] = [0.25, 2.0, 0.0]
    asked: list[float] = []

    def left() -> float | None:
        asked.append(trio.current_time())
        return answers.pop(0)

    timers.start("flush", 1, "flush", left=left)
    await trio.sleep(2)
    assert heard == []
    assert [each.deadline for each in timers.running()] == [3.25]
    await trio.sleep(2)

    assert asked == [1.0, 1.25, 3.25]
    assert heard == [(3.25, "flush")]
    assert "flush" not in timers


async def test_a_timer_that_has_nothing_left_to_wait_for_ends_without_a_message(
    autojump_clock: Clock,
) -> None:
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    timers.start("flush", 1, "flush", left=lambda: None)
    await trio.sleep(2)

    assert heard == []
    assert timers.running() == []


async def test_a_timer_whose_deadline_has_passed_delivers_its_message(
    autojump_clock: Clock,
) -> None:
    """A timer may be late, so `deadline - now` is negative: to run on for that would never end."""
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    answers: list[float | None] = [-0.25, None]
    timers.start("flush", 1, "flush", left=lambda: answers.pop(0))
    await trio.sleep(2)

    assert heard == [(1.0, "flush")]
    assert timers.running() == []


async def test_a_timer_that_runs_on_can_be_cancelled(autojump_clock: Clock) -> None:
    heard: list[tuple[float, str]] = []
    timers = timed(heard)
    answers = [1.0]
    timers.start("flush", 1, "flush", left=lambda: answers.pop() if answers else 0.0)
    await trio.sleep(1.5)
    timers.cancel("flush")
    await trio.sleep(5)

    assert heard == []
