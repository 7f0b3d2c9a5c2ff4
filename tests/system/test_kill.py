"""`kill -9` of a serving process in the middle of runs, ten times over one journal."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from greenroom.delivery.events import TERMINAL, Event
from greenroom.delivery.ids import UserId
from greenroom.delivery.sqlite_journal import open_sqlite_journal
from greenroom.transport.auth import sign_token
from tests.delivery.whole_runs import flaws
from tests.system.processes import free_port, read_ledger
from tests.system.tab import Tab

SECRET = "a secret of the tests, 32 bytes or more"
USERS = ["ann", "bob", "cyd"]
KILLS = 10


@attrs.frozen
class Server:
    """A serving process; `port` stays the same over its lives."""

    folder: Path
    port: int

    @property
    def ledger(self) -> list[str]:
        return read_ledger(self.folder / "ledger")

    @asynccontextmanager
    async def life(self) -> AsyncIterator[trio.Process]:
        script = Path(__file__).with_name("ledger_server.py")
        environ = {**os.environ, "LEDGER": str(self.folder / "ledger"), "SECRET": SECRET}
        process = await trio.lowlevel.open_process(
            [sys.executable, script, str(self.port), str(self.folder / "g.db")],
            stdout=subprocess.PIPE,
            env=environ,
        )
        assert process.stdout is not None
        try:
            async with process.stdout:
                assert (await process.stdout.receive_some()).startswith(b"http://")
                yield process
        finally:
            process.kill()
            await process.wait()


async def grow(server: Server, lines: int) -> None:
    """Wait until that many more events were accepted."""
    goal = len(server.ledger) + lines
    with trio.fail_after(60):
        while len(server.ledger) < goal:  # noqa: ASYNC110  # another process writes it
            await trio.sleep(0.01)


async def converse(
    tab: Tab, say: str, killed: trio.Event, *, task_status: trio.TaskStatus[None]
) -> None:
    async with tab.connected():
        await tab.send(type="say", id=say, body=say)
        task_status.started()
        await killed.wait()


async def one_life(server: Server, tabs: list[Tab], number: int, chance: random.Random) -> None:
    killed = trio.Event()
    async with server.life() as process, trio.open_nursery() as nursery:
        for tab in tabs:
            await nursery.start(converse, tab, f"say-{number}", killed)
        await grow(server, chance.randrange(1, 300))
        process.kill()
        await process.wait()
        killed.set()


@pytest.mark.requirement("R20", "R28", "R31", "R34")
async def test_ten_kills_lose_nothing_accepted_and_every_client_resumes(tmp_path: Path) -> None:
    server = Server(tmp_path, free_port())
    chance = random.Random(9)
    tabs = [Tab("127.0.0.1", server.port, sign_token(SECRET, user, 600)) for user in USERS]
    for number in range(KILLS):
        await one_life(server, tabs, number, chance)
    async with server.life():
        for tab in tabs:
            async with tab.connected():
                await tab.until_offset(tab.readies[-1]["offset"])
                first = tab.seen[0]
                again = await tab.ask(type="say", id=first["data"]["say"], body="again")
                assert again["ok"]
                assert again["run"] == first["run"]
                await tab.until(lambda tab=tab: all_ended(tab))  # type: ignore[misc]
    await check_journal(server)
    for tab in tabs:
        check_tab(tab)


def all_ended(tab: Tab) -> bool:
    ended = {each["run"] for each in tab.seen if each["kind"] in TERMINAL}
    return ended == {each["run"] for each in tab.seen}


async def check_journal(server: Server) -> None:
    """Everything in the ledger is in the journal, at its place."""
    kept: set[str] = set()
    async with open_sqlite_journal(server.folder / "g.db") as journal:
        for user in map(UserId.parse, USERS):
            records = await journal.read(user, after=0, limit=1_000_000, max_bytes=1 << 30)
            assert [record.offset for record in records] == list(range(1, len(records) + 1))
            kept |= {f"{user} {record.offset} {record.id}" for record in records}
            assert await journal.open_runs(user) == [], "runs that a kill cut off are ended"
    assert len(server.ledger) >= KILLS
    assert set(server.ledger) <= kept


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
