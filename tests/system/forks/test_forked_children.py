"""Children that an agent forks: they keep nothing of their server's, and never become servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio

import greenroom
from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.supervisor import render
from greenroom.transport.auth.tokens import sign_token
from greenroom.transport.door.listeners import open_listeners
from tests.system.processes import SECRET, Place, Process, eventually, free_port
from tests.system.tab import Frame, Tab


@asynccontextmanager
async def talking(tmp_path: Path) -> AsyncIterator[tuple[Place, Process, Tab]]:
    """A server that forks, and a client that is connected to it."""
    place = Place(tmp_path, free_port(), "forks/forking_server.py")
    async with place.process() as process:
        await process.until_listening()
        tab = Tab("127.0.0.1", place.port, sign_token(SECRET, "ann", 600))
        async with tab.connected():
            yield place, process, tab


async def answer(tab: Tab, said: str) -> Any:
    """The report of the run that answers."""
    reply = await tab.ask(type="say", id=f"{said} {len(tab.seen)}", body=said)

    def ended() -> list[Frame]:
        return [each for each in tab.seen if each["run"] == reply["run"] and is_end(each)]

    await tab.until(lambda: bool(ended()) or tab.is_over)
    assert [each["kind"] for each in ended()] == ["agent_completed"]
    return next(
        each["data"]["report"]
        for each in tab.seen
        if each["run"] == reply["run"] and each["kind"] == "final_report"
    )


def is_end(event: Frame) -> bool:
    return event["kind"] in ("agent_completed", "agent_failed")


@contextmanager
def lives(pid: int) -> Iterator[None]:
    """It lives throughout the block, and no longer."""
    try:
        yield
        os.kill(pid, 0)
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.fault("D10")
@pytest.mark.parametrize(
    "way", ["fork in the agent", "fork in a thread", "multiprocessing", "pool"]
)
async def test_a_child_that_outlives_its_killed_server_keeps_no_journal_no_port_and_no_client(
    way: str, tmp_path: Path
) -> None:
    async with talking(tmp_path) as (place, process, tab):
        with lives(await answer(tab, way)):
            process.handle.kill()
            await process.ended()
            await tab.until(lambda: tab.is_over)
            with pytest.raises(OSError, match=r"refused|all attempts"):
                await trio.open_tcp_stream("127.0.0.1", place.port)
            for listener in await open_listeners("127.0.0.1", place.port):
                await listener.aclose()
            async with open_sqlite_journal(place.journal) as journal:
                assert journal.statistics().trouble == ""


@pytest.mark.fault("D10")
async def test_a_child_that_outlives_its_stopped_server_keeps_no_journal(tmp_path: Path) -> None:
    async with talking(tmp_path) as (place, process, tab):
        with lives(await answer(tab, "fork in the agent")):
            process.handle.send_signal(signal.SIGTERM)
            assert await process.ended() == 0
            async with open_sqlite_journal(place.journal) as journal:
                assert journal.statistics().trouble == ""


@pytest.mark.fault("D10")
async def test_while_the_server_lives_a_child_takes_nothing_from_it(tmp_path: Path) -> None:
    async with talking(tmp_path) as (place, _, tab):
        child = await answer(tab, "multiprocessing")
        assert await answer(tab, "hello") == "hello"
        with pytest.raises(JournalBusy):
            async with open_sqlite_journal(place.journal):
                pass
        with lives(child):
            assert await answer(tab, "hello") == "hello"
        assert await answer(tab, "hello") == "hello"


@pytest.mark.fault("S17")
async def test_a_child_that_goes_on_in_the_runtime_is_ended_and_the_server_notices_nothing(
    tmp_path: Path,
) -> None:
    async with talking(tmp_path) as (_, process, tab):
        for number, how in enumerate(["exit", "return", "raise", "give way", "emit", "ask"], 1):
            assert await answer(tab, how) == os.EX_SOFTWARE, how
            assert await answer(tab, "hello") == "hello"
            assert process.output.count(b"end such a child with os._exit()") == number
        assert not any("said in the child" in str(each) for each in tab.seen)
        assert [each["offset"] for each in tab.seen] == list(range(1, len(tab.seen) + 1))


@pytest.mark.fault("S17")
async def test_a_child_of_a_server_ends_when_it_is_terminated(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, _, tab):
        assert await answer(tab, "terminate") == -signal.SIGTERM


CLIENT = """
import os, signal, sys, trio
import greenroom

async def main():
    async with greenroom.connect(sys.argv[1], token=sys.argv[2]) as client:
        await client.say("hello")
        pid = os.fork()
        if pid == 0:
            signal.alarm(300)
            while True:
                signal.pause()
        print(pid, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.mark.fault("D10")
async def test_a_child_that_outlives_a_killed_client_keeps_no_connection(tmp_path: Path) -> None:
    settings = greenroom.Settings(journal=tmp_path / "g.db", secret=SECRET, port=0, heartbeat=190)
    async with greenroom.open_runtime(settings, done) as runtime:
        url = f"ws://127.0.0.1:{await runtime.listen()}"
        command = [sys.executable, "-c", CLIENT, url, sign_token(SECRET, "ann", 600)]
        client = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        assert client.stdout is not None
        with lives(int(await client.stdout.receive_some())):
            assert "conn_" in render(runtime.tree())
            client.kill()
            await client.wait()
            await eventually(lambda: "conn_" not in render(runtime.tree()))


async def done(run: greenroom.Run, said: greenroom.JSON) -> None:
    await run.final_report(report=said)
