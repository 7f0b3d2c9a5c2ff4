"""A user who is away is not a broken client: what the log says of events that were given up."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs
import pytest
import trio
import trio.testing

from greenroom.delivery.events.ids import ConnectionId, EventId, RunId, SessionId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.policy import LetterLevel, Policy
from greenroom.delivery.events.record import Attempt, DeadLetter
from greenroom.delivery.user.outcomes.letter_log import HOUR, RUNS_KNOWN, LetterLog
from tests.delivery.backstage import ALICE, IDS, open_backstage

pytestmark = pytest.mark.requirement("R02")

RUN = IDS.new(RunId)


def letters(count: int, attempts: int = 0) -> list[DeadLetter]:
    session, connection = IDS.new(SessionId), IDS.new(ConnectionId)
    tries = [Attempt(ALICE, session, connection, 0, 9, number, 1) for number in range(attempts)]
    one = DeadLetter(ALICE, 1, IDS.new(EventId), Kind.FINAL_REPORT, "dead_lettered", tries, 1)
    return [attrs.evolve(one, offset=number, event=IDS.new(EventId)) for number in range(count)]


@attrs.define
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_run_has_one_line_an_hour_and_the_next_one_counts_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    log = LetterLog(clock)
    first = letters(3)
    log.write("outbox", RUN, first, logging.WARNING)
    log.write("outbox", RUN, letters(40), logging.WARNING)
    clock.now = HOUR - 1
    log.write("outbox", RUN, letters(2), logging.WARNING)
    clock.now = HOUR
    log.write("outbox", RUN, letters(1, attempts=2), logging.WARNING)
    one, two = caplog.messages
    assert one == (
        f"outbox: 3 events of {RUN} are dead letters: no client received them; "
        f"the first is final_report {first[0].event}"
    )
    assert "sent 2 times, not received" in two
    assert two.endswith("(42 more since the last line)")


def test_a_worse_level_is_not_held_back(caplog: pytest.LogCaptureFixture) -> None:
    log = LetterLog(Clock())
    log.write("outbox", RUN, letters(1), logging.WARNING)
    log.write("outbox", RUN, letters(1), logging.CRITICAL)
    assert [each.levelno for each in caplog.records] == [logging.WARNING, logging.CRITICAL]


def test_the_log_remembers_a_bounded_number_of_runs() -> None:
    log = LetterLog(Clock())
    for _ in range(RUNS_KNOWN + 50):
        log.write("outbox", IDS.new(RunId), letters(1), logging.DEBUG)
    assert len(log._written) == RUNS_KNOWN


def soon(level: LetterLevel = "warning") -> dict[EventClass, Policy]:
    return {
        EventClass.CRITICAL: Policy(expires_after=100, level=level),
        EventClass.PROGRESS: Policy(expires_after=100, dead_letter=False),
    }


def clock() -> Callable[[], int]:
    return lambda: round(trio.current_time() * 1000)


def levels(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [each.levelno for each in caplog.records if "dead letters" in each.getMessage()]


@pytest.mark.parametrize(
    ("level", "logged"), [("warning", logging.WARNING), ("critical", logging.CRITICAL)]
)
async def test_a_user_who_is_away_costs_one_line_a_run_at_the_level_of_the_policy(
    level: LetterLevel,
    logged: int,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_backstage(policies=soon(level), now_ms=clock()) as stage:
        async with stage.run() as run:
            for _ in range(20):
                async with run.tool("look"):
                    pass
        await trio.sleep(300)
        assert len(await stage.dead_letters.list()) == 42
    assert levels(caplog) == [logged]
    assert f"42 events of {run.context.run}" in caplog.text


async def test_a_client_that_is_connected_and_receives_nothing_is_critical(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        open_backstage(policies=soon(), now_ms=clock()) as stage,
        stage.client(acks=False),
    ):
        async with stage.run():
            pass
        await trio.sleep(300)
        assert await stage.dead_letters.list()
    assert levels(caplog) == [logging.CRITICAL]


async def test_a_user_who_comes_back_too_late_was_away(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    now = [1_000_000]
    async with open_backstage(policies=soon(), now_ms=lambda: now[0], idle_seconds=1) as stage:
        async with stage.run():
            pass
        await trio.sleep(5)  # the user's actors have gone
        await stage.journal.alive(now[0], after=0)
        now[0] += 200_000
        await stage.journal.alive(now[0], after=200_000)
        async with stage.client():
            await trio.sleep(5)
        assert len(await stage.dead_letters.list()) == 2
    assert levels(caplog) == [logging.WARNING]
