"""`kill -9` at each step of an asked question: exactly one end, and at most one answer."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from greenroom.delivery.events.kinds import ASK_ENDS, TERMINAL, Kind
from greenroom.transport.auth.tokens import sign_token
from tests.system.asks.asked import check_ends, seen
from tests.system.processes import SECRET, Place, Process, free_port
from tests.system.tab import Tab

pytestmark = pytest.mark.requirement("R44")

ASKED = ["before input_requested", "after input_requested"]
ANSWERED = [
    *("before input_answered", "after input_answered"),
    *("before it is told", "after it is told", "once the agent has it"),
]
CLOSED = ["before input_closed", "after input_closed", *ANSWERED[2:]]


def place_in(folder: Path, step: str) -> tuple[Place, Tab]:
    died = {"DIE_AT": step, "DIED": str(folder / "died")}
    place = Place(folder, free_port(), "asks/asking_server.py", died)
    return place, Tab("127.0.0.1", place.port, sign_token(SECRET, "ann", 600))


async def died(process: Process) -> None:
    assert await process.ended() == -signal.SIGKILL


async def until_ended(tab: Tab, value: str) -> None:
    """Answer all that is asked with this, until the run has ended. A question of before the kill
    may look open until its end comes in the replay: then its answer is refused."""
    while True:
        await tab.until(lambda: bool(open_asks(tab) or seen(tab, *TERMINAL)))
        if not open_asks(tab):
            return
        ask = open_asks(tab)[0]
        await tab.ask(type="answer", id=f"answer-{ask}", ask=ask, value=value)
        await tab.until(lambda ask=ask: ask not in open_asks(tab))  # type: ignore[misc]


def open_asks(tab: Tab) -> list[str]:
    ended = {each["data"]["ask"] for each in seen(tab, *ASK_ENDS)}
    asked = [each["data"]["ask"] for each in seen(tab, Kind.INPUT_REQUESTED)]
    return [ask for ask in asked if ask not in ended]


@pytest.mark.parametrize("step", [*ASKED, *ANSWERED])
@pytest.mark.parametrize("said", ["plain", "key"])
async def test_whatever_step_a_kill_hits_a_question_gets_at_most_one_answer(
    tmp_path: Path, step: str, said: str
) -> None:
    place, tab = place_in(tmp_path, step)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.send(type="say", id="say-1", body=said)
            if step in ANSWERED:
                await tab.until(lambda: bool(open_asks(tab)))
                asked = seen(tab, Kind.INPUT_REQUESTED)[-1]["data"]["ask"]
                await tab.send(type="answer", id="first", ask=asked, value="yes")
            await died(process)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.ask(type="say", id="say-1", body=said)
            await until_ended(tab, "no")
            if step in ANSWERED:
                again = await tab.ask(type="answer", id="again", ask=asked, value="yes")
                kept = seen(tab, Kind.INPUT_ANSWERED)
                yes = [each["offset"] for each in kept if each["data"]["value"] == "yes"]
                assert again.get("offset") == (yes[0] if yes else None), "what it says is so"
    [report] = seen(tab, Kind.FINAL_REPORT)
    last = seen(tab, Kind.INPUT_ANSWERED)[-1]
    assert report["data"]["report"] == last["data"]["value"]
    if "first" in tab.replies:
        assert tab.replies["first"]["offset"] in [e["offset"] for e in seen(tab, *ASK_ENDS)]
    if said == "key":
        assert len(seen(tab, Kind.INPUT_REQUESTED)) == 1, "the user is asked once"
        assert len(seen(tab, Kind.INPUT_ANSWERED)) == 1
        if step in ANSWERED[1:]:
            assert report["data"]["report"] == "yes"
    await check_ends(place)


@pytest.mark.parametrize("step", CLOSED)
async def test_whatever_step_a_kill_hits_an_expiring_question_has_one_end(
    tmp_path: Path, step: str
) -> None:
    place, tab = place_in(tmp_path, step)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.send(type="say", id="say-1", body="expires")
            await died(process)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.until(lambda: bool(seen(tab, *TERMINAL)))
    [report] = seen(tab, Kind.FINAL_REPORT)
    assert report["data"]["report"] == "no"
    await check_ends(place)
