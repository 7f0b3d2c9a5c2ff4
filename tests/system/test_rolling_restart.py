"""Servers that follow one another over one journal and one port, while agents run."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
import trio
from trio_websocket import ConnectionClosed

import greenroom
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.transport.auth.tokens import sign_token
from tests.system.processes import SECRET, Place, Process, eventually, free_port
from tests.system.tab import Tab

USERS = [f"user-{number}" for number in range(8)]
RESTARTS = 3
ROLLING = {"GREENROOM_JOURNAL_WAIT": "300", "GREENROOM_DRAIN_SECONDS": "60"}
"""Clients that lost several servers within seconds come back after up to 20 s each time."""


@attrs.define
class Talker:
    """A user with the Python client, who asks again and again, and reads to the end."""

    user: str
    port: int
    events: list[greenroom.Event] = attrs.field(factory=list)
    readies: int = 0
    said: int = 0
    stop: bool = False
    is_done: bool = False

    async def talk(self) -> None:
        token = sign_token(SECRET, self.user, 600)
        url = f"ws://127.0.0.1:{self.port}"
        async with greenroom.connect(url, token=token, on_ready=self._ready) as client:
            incoming = client.events()
            while not self.stop:
                self.said += 1
                started = await client.say(f"question {self.said}", id=f"say-{self.said}")
                async for event in incoming:
                    self.events.append(event)
                    if event.run == started.run and event.kind in (
                        "agent_completed",
                        "agent_failed",
                    ):
                        break

        self.is_done = True

    def _ready(self, _: object) -> None:
        self.readies += 1


async def follow(place: Place, talkers: Sequence[Talker]) -> None:
    """One server after the other; each new one waits for the journal of the one before."""
    async with trio.open_nursery() as nursery:
        lives: list[Process] = []
        stopped = trio.Event()

        async def live(*, task_status: trio.TaskStatus[Process]) -> None:
            async with place.process() as process:
                task_status.started(process)
                await stopped.wait()

        lives.append(await nursery.start(live))
        await lives[0].until_listening()
        for talker in talkers:
            nursery.start_soon(talker.talk)
        for number in range(RESTARTS):
            old, new = lives[-1], await nursery.start(live)
            lives.append(new)
            await new.until_said(f"waiting up to 300 s: process {old.handle.pid} has")
            await eventually(lambda want=number + 1: all(t.readies >= want for t in talkers))
            await place.accept(40)
            os.kill(old.handle.pid, signal.SIGTERM)
            assert await old.ended() == 0, old.output.decode()
            await new.until_listening()
        await eventually(lambda: all(t.readies > RESTARTS for t in talkers))
        for talker in talkers:
            talker.stop = True
        await eventually(lambda: all(talker.is_done for talker in talkers))
        stopped.set()


async def records(place: Place, user: str) -> list[Record]:
    async with open_sqlite_journal(place.journal) as journal:
        return await journal.read(UserId.parse(user), after=0, limit=1_000_000, max_bytes=1 << 30)


@pytest.mark.requirement("R27")
@pytest.mark.requirement("R34")
async def test_a_rolling_restart_under_load_loses_and_duplicates_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path, free_port(), "paced_server.py", ROLLING)
    talkers = [Talker(user, place.port) for user in USERS]
    with trio.fail_after(300):
        await follow(place, talkers)
    accepted: set[str] = set()
    for talker in talkers:
        kept = await records(place, talker.user)
        accepted |= {f"{talker.user} {record.offset} {record.id}" for record in kept}
        seen = [(event.offset, event.id) for event in talker.events]
        assert seen == [(record.offset, record.id) for record in kept], "each once, in order"
        kinds = [event.kind for event in talker.events]
        assert kinds.count("user_said") == kinds.count("agent_completed") == talker.said
        assert "agent_failed" not in kinds, "runs had the time to end"
        assert talker.readies > RESTARTS
        texts = {event.data["text"] for event in talker.events if event.kind == "partial_result"}
        assert texts == {talker.user}
    assert set(place.ledger) <= accepted


async def ask_until_told_to_go(tab: Tab, asked: trio.Event) -> None:
    """Ask one thing after another, as if nothing was about to happen; stay until the end."""
    async with tab.connected():
        while not tab.is_over:
            await _hear_out(tab, f"say-{len(tab.replies)}", _count_ends(tab) + 1, asked)


async def _hear_out(tab: Tab, say: str, ends: int, asked: trio.Event) -> None:
    with suppress(ConnectionClosed):
        await tab.send(type="say", id=say, body="?")
    await tab.until(lambda: say in tab.replies or tab.is_over)
    asked.set()
    await tab.until(lambda: _count_ends(tab) >= ends or tab.is_over)


def _count_ends(tab: Tab) -> int:
    return sum(event["kind"] == "agent_completed" for event in tab.seen)


@pytest.mark.requirement("R27")
async def test_no_event_of_a_run_that_ends_in_a_drain_waits_for_the_next_server(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path, free_port(), "paced_server.py", {"GREENROOM_DRAIN_SECONDS": "60"})
    users = [f"user-{number}" for number in range(12)]
    tabs = [Tab("127.0.0.1", place.port, sign_token(SECRET, user, 600)) for user in users]
    async with place.process() as process, trio.open_nursery() as nursery:
        await process.until_listening()
        for tab in tabs:
            nursery.start_soon(ask_until_told_to_go, tab, asked := trio.Event())
            await asked.wait()  # so they are at different places of their runs
        await place.accept(200)
        os.kill(process.handle.pid, signal.SIGTERM)
        assert await process.ended() == 0, process.output.decode()
    assert b"is cut" not in process.output
    for user, tab in zip(users, tabs, strict=True):
        kept = await records(place, user)
        assert [event["id"] for event in tab.seen] == [record.id for record in kept]
        assert kept[-1].kind == "agent_completed"
        (closing,) = [frame for frame in tab.other if frame["type"] == "closing"]
        assert closing["code"] == 1001


@pytest.mark.requirement("R27")
async def test_runs_that_outlast_the_drain_end_as_lost_before_the_server_does(
    tmp_path: Path,
) -> None:
    slow = {"PIECES": "100000", "GREENROOM_DRAIN_SECONDS": "0.3"}
    place = Place(tmp_path, free_port(), "paced_server.py", slow)
    tab = Tab("127.0.0.1", place.port, sign_token(SECRET, "ann", 600))
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.ask(type="say", id="1", body="go on")
            await tab.until(lambda: len(tab.seen) > 5)
            os.kill(process.handle.pid, signal.SIGTERM)
            await tab.until(lambda: any(f["type"] == "closing" for f in tab.other))
        assert await process.ended() == 0, process.output.decode()
        assert b"is cut, it took longer than 0.3 s" in process.output
    last = (await records(place, "ann"))[-1]
    assert (last.kind, b'"reason":"lost"' in last.body) == ("agent_failed", True)


@pytest.mark.requirement("R27")
async def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    slow = {"PIECES": "100000", "GREENROOM_DRAIN_SECONDS": "600"}
    place = Place(tmp_path, free_port(), "paced_server.py", slow)
    tab = Tab("127.0.0.1", place.port, sign_token(SECRET, "ann", 600))
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.ask(type="say", id="1", body="go on")
            os.kill(process.handle.pid, signal.SIGTERM)
            await process.until_said("draining: 1 connections, 1 runs")
            os.kill(process.handle.pid, signal.SIGTERM)
        assert await process.ended(seconds=10) == 0, process.output.decode()
    assert (await records(place, "ann"))[-1].kind == "agent_failed"


@pytest.mark.requirement("R28")
@pytest.mark.requirement("R27")
async def test_an_agent_that_cannot_be_stopped_is_named_and_the_process_ends_all_the_same(
    tmp_path: Path,
) -> None:
    hanging = {"GREENROOM_DRAIN_SECONDS": "0.1", "LAST_RESORT": "1"}
    place = Place(tmp_path, free_port(), "paced_server.py", hanging)
    tab = Tab("127.0.0.1", place.port, sign_token(SECRET, "ann", 600))
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            run = (await tab.ask(type="say", id="1", body="hang"))["run"]
            await tab.until_offset(3)
        os.kill(process.handle.pid, signal.SIGTERM)
        assert await process.ended() == os.EX_SOFTWARE, process.output.decode()
        (line,) = [each for each in process.output.decode().split("\n") if "does not stop," in each]
        assert f"<Run {run} of 'agent'" in line
        assert b"in agent (" in process.output
    last = (await records(place, "ann"))[-1]
    assert (last.kind, last.run, b'"reason":"lost"' in last.body) == ("agent_failed", run, True)


async def test_without_waiting_a_second_server_does_not_start(tmp_path: Path) -> None:
    place = Place(tmp_path, free_port(), "paced_server.py")
    async with place.process() as first:
        await first.until_listening()
        async with place.process() as second:
            assert await second.ended() == 1
            assert f"process {first.handle.pid} has".encode() in second.output
