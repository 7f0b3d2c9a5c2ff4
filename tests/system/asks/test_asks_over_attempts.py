"""`kill -9` and drains of servers while a run that goes on asks: its question with a key is asked
once and answered once, in whatever attempt; one without goes with the attempt that asked it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from greenroom.delivery.events.kinds import ASK_ENDS, TERMINAL, Kind
from greenroom.transport.auth.tokens import sign_token
from tests.system.asks.asked import asked, check_ends, seen
from tests.system.processes import SECRET, Place, eventually, free_port
from tests.system.tab import Tab

pytestmark = pytest.mark.requirement("R44", "R56")

KEYED, PLAIN = "Delete 14 files?", "Which way?"
NOT_ALLOWED, ANSWERED_ALREADY = 4502, 4508


def place_in(folder: Path) -> tuple[Place, Tab]:
    place = Place(
        folder, free_port(), "asks/attempts_server.py", {"GREENROOM_DRAIN_SECONDS": "0.2"}
    )
    return place, Tab("127.0.0.1", place.port, sign_token(SECRET, "ann", 600))


def noted(place: Place) -> list[str]:
    """Each attempt that got an answer, and which."""
    path = place.folder / "ledger"
    return path.read_text().splitlines() if path.exists() else []


def kinds_between(tab: Tab, first: int, last: int) -> list[str]:
    """What came from the beginning of one attempt to that of another."""
    begun = [tab.seen.index(each) for each in seen(tab, Kind.AGENT_STARTED)]
    return [each["kind"] for each in tab.seen[begun[first - 1] : begun[last - 1]]]


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
async def test_killed_or_stopped_amid_it_a_question_with_a_key_waits_on_and_is_answered_once(
    tmp_path: Path, stop: signal.Signals
) -> None:
    place, tab = place_in(tmp_path)
    for attempt in (1, 2):
        async with place.process() as process:
            await process.until_listening()
            async with tab.connected():
                assert (await tab.ask(type="say", id="say-1", body=1))["ok"]
                await tab.until(lambda: bool(asked(tab, KEYED)))
                await tab.until(lambda many=attempt: len(asked(tab, PLAIN)) == many)  # type: ignore[misc]
                process.handle.send_signal(stop)
                await process.ended()
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.until(lambda: len(asked(tab, PLAIN)) == 3)
            [question], withdrawn = asked(tab, KEYED), asked(tab, PLAIN)[:2]
            for each in withdrawn:
                ask = each["data"]["ask"]
                late = await tab.ask(type="answer", id=ask, ask=ask, value="left")
                assert late["error"]["code"] == NOT_ALLOWED
            ask = question["data"]["ask"]
            answer = await tab.ask(type="answer", id="first", ask=ask, value="yes")
            await tab.until(lambda: bool(seen(tab, *TERMINAL)))
            again = await tab.ask(type="answer", id="again", ask=ask, value="yes")
            other = await tab.ask(type="answer", id="other", ask=ask, value="no")
    assert noted(place) == ["3 yes"]
    [answered] = seen(tab, Kind.INPUT_ANSWERED)
    assert answered["offset"] == answer["offset"] == again["offset"]
    assert other["error"]["code"] == ANSWERED_ALREADY
    asks = [Kind.INPUT_REQUESTED, Kind.INPUT_CLOSED]
    assert kinds_between(tab, 1, 2) == [Kind.AGENT_STARTED, Kind.INPUT_REQUESTED, *asks]
    assert kinds_between(tab, 2, 3) == [Kind.AGENT_STARTED, *asks]
    closed = [
        (each["data"]["ask"], each["data"]["reason"]) for each in seen(tab, Kind.INPUT_CLOSED)
    ]
    assert closed == [(each["data"]["ask"], "withdrawn") for each in asked(tab, PLAIN)]
    assert [each["data"].get("attempt", 1) for each in seen(tab, Kind.AGENT_STARTED)] == [1, 2, 3]
    await check_ends(place)


async def test_killed_after_the_answer_each_later_attempt_has_it_at_once_with_nobody_there(
    tmp_path: Path,
) -> None:
    place, tab = place_in(tmp_path)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.ask(type="say", id="say-1", body=3)
            await tab.until(lambda: bool(asked(tab, KEYED)))
            ask = asked(tab, KEYED)[0]["data"]["ask"]
            await tab.ask(type="answer", id="first", ask=ask, value="no")
            await eventually(lambda: noted(place) == ["1 no"])
            process.handle.kill()
            await process.ended()
    async with place.process() as process:
        await eventually(lambda: noted(place) == ["1 no", "2 no"])
        process.handle.kill()
        await process.ended()
    async with place.process() as process:
        await process.until_listening()
        await eventually(lambda: noted(place) == ["1 no", "2 no", "3 no"])
        async with tab.connected():
            await tab.until(lambda: bool(seen(tab, *TERMINAL)))
    assert len(asked(tab, KEYED)) == 1
    assert [each["data"]["value"] for each in seen(tab, Kind.INPUT_ANSWERED)] == ["no"]
    assert [each["data"]["report"] for each in seen(tab, Kind.FINAL_REPORT)] == ["no"]
    assert len(asked(tab, PLAIN)) == 3
    assert len(seen(tab, *ASK_ENDS)) == 4
    await check_ends(place)
