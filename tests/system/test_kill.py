"""`kill -9` of a serving process in the middle of runs, ten times over one journal."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import TERMINAL, Event
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.transport.auth.tokens import sign_token
from tests.delivery.history.whole_runs import flaws
from tests.system.processes import SECRET, Place, free_port
from tests.system.tab import Tab

USERS = ["ann", "bob", "cyd"]
KILLS = 10


async def converse(
    tab: Tab, say: str, killed: trio.Event, *, task_status: trio.TaskStatus[None]
) -> None:
    async with tab.connected():
        await tab.send(type="say", id=say, body=say)
        task_status.started()
        await killed.wait()


async def one_life(place: Place, tabs: list[Tab], number: int, chance: random.Random) -> None:
    killed = trio.Event()
    async with place.process() as process, trio.open_nursery() as nursery:
        await process.until_listening()
        for tab in tabs:
            await nursery.start(converse, tab, f"say-{number}", killed)
        await place.accept(chance.randrange(1, 300))
        process.handle.kill()
        await process.ended()
        killed.set()


@pytest.mark.requirement("R20", "R28", "R31", "R34")
async def test_ten_kills_lose_nothing_accepted_and_every_client_resumes(tmp_path: Path) -> None:
    place = Place(tmp_path, free_port(), "ledger_server.py")
    chance = random.Random(9)
    tabs = [Tab("127.0.0.1", place.port, sign_token(SECRET, user, 600)) for user in USERS]
    for number in range(KILLS):
        await one_life(place, tabs, number, chance)
    async with place.process() as process:
        await process.until_listening()
        for tab in tabs:
            async with tab.connected():
                await tab.until_offset(tab.readies[-1]["offset"])
                first = tab.seen[0]
                again = await tab.ask(type="say", id=first["data"]["say"], body="again")
                assert again["ok"]
                assert again["run"] == first["run"]
                await tab.until(lambda tab=tab: all_ended(tab))  # type: ignore[misc]
    await check_journal(place)
    for tab in tabs:
        check_tab(tab)


def all_ended(tab: Tab) -> bool:
    ended = {each["run"] for each in tab.seen if each["kind"] in TERMINAL}
    return ended == {each["run"] for each in tab.seen}


async def check_journal(place: Place) -> None:
    """Everything in the ledger is in the journal, at its place."""
    kept: set[str] = set()
    async with open_sqlite_journal(place.journal) as journal:
        for user in map(UserId.parse, USERS):
            records = await journal.read(user, after=0, limit=1_000_000, max_bytes=1 << 30)
            assert [record.offset for record in records] == list(range(1, len(records) + 1))
            kept |= {f"{user} {record.offset} {record.id}" for record in records}
            assert await journal.open_runs(user) == [], "runs that a kill cut off are ended"
    assert len(place.ledger) >= KILLS
    assert set(place.ledger) <= kept


def check_tab(tab: Tab) -> None:
    """Nothing missing, nothing twice, one epoch, and places that never go back."""
    offsets = [event["offset"] for event in tab.seen]
    assert offsets == list(range(1, len(offsets) + 1))
    assert len({ready["epoch"] for ready in tab.readies}) == 1
    assert all(ready["recovered"] for ready in tab.readies[1:])
    places = [ready["offset"] for ready in tab.readies]
    assert places == sorted(places)
    lost = [event for event in tab.seen if event["kind"] == "agent_failed"]
    assert {event["data"]["reason"] for event in lost} == {"lost"}
    assert list(flaws(map(Event.from_json, tab.seen))) == []
