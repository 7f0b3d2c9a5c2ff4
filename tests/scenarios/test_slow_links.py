"""Links that are slow and links that are dead: bytes that move tell them apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from greenroom import Kind, Run, Settings, connect, open_runtime
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.testing import open_slow_link
from greenroom.transport.client.client import Client as Connected
from tests.face.metrics.scrape import parsed
from tests.protocol.client import Client
from tests.protocol.server import SECRET, token_for
from tests.scenarios.stage import JUMPS

KIB = 1024


@pytest.fixture
def slow_clock() -> MockClock:
    """Jumps only when sockets have been still for a moment: the kernel has a clock of its own."""
    return MockClock(autojump_threshold=0.02)


async def big_reporter(run: Run, said: object) -> None:
    assert isinstance(said, int)
    await run.final_report(report="x" * said)


async def kinds_until_completed(client: Connected) -> list[Kind]:
    kinds = []
    with trio.fail_after(600):
        async for event in client.events():
            kinds.append(event.kind)
            if event.kind is Kind.AGENT_COMPLETED:
                return kinds
    raise AssertionError("the client's events ended")


@JUMPS
@pytest.mark.fault("D7")
@pytest.mark.parametrize(("rate", "heartbeat"), [(20, 25.0), (20, 10.0), (60, 10.0), (5, 10.0)])
async def test_a_big_event_over_a_slow_link_arrives_once_and_on_one_connection(
    slow_clock: MockClock, rate: int, heartbeat: float
) -> None:
    size = 1000 * KIB if rate >= 20 else 400 * KIB
    settings = Settings(port=0, secret=SECRET, heartbeat=heartbeat)
    async with (
        open_runtime(settings, big_reporter, journal=MemoryJournal()) as runtime,
        open_slow_link(await runtime.listen(page=False), bytes_per_second=rate * KIB) as link,
        connect(f"ws://127.0.0.1:{link.port}", token=token_for("alice", seconds=1e6)) as client,
    ):
        await client.say(size)
        kinds = await kinds_until_completed(client)
        assert kinds[-2:] == [Kind.FINAL_REPORT, Kind.AGENT_COMPLETED]
        assert link.connections == 1
        assert link.sent_down < size + 20 * KIB


@JUMPS
@pytest.mark.fault("D7")
async def test_a_link_that_stalls_amid_a_big_event_is_cut_and_its_event_comes_later(
    slow_clock: MockClock,
) -> None:
    settings = Settings(port=0, secret=SECRET, heartbeat=10.0)
    async with (
        open_runtime(settings, big_reporter, journal=MemoryJournal()) as runtime,
        open_slow_link(await runtime.listen(page=False), bytes_per_second=20 * KIB) as link,
        connect(f"ws://127.0.0.1:{link.port}", token=token_for("alice", seconds=1e6)) as client,
    ):
        await client.say(1000 * KIB)
        await trio.sleep(15)
        assert (link.connections, link.live) == (1, 1)
        link.stall()
        await trio.sleep(2.5 * settings.heartbeat)
        assert runtime.metrics is not None
        counted = parsed(runtime.metrics.expose("application/openmetrics-text")[0].decode())
        assert counted["greenroom_connections_closed_total"]["server", "4101"] == 1
        link.bytes_per_second = 1000 * KIB
        link.flow()
        await kinds_until_completed(client)


@JUMPS
@pytest.mark.fault("D7")
async def test_what_a_client_takes_long_to_send_arrives(slow_clock: MockClock) -> None:
    """Longer than it may be silent: every piece of it is a sign of life."""
    settings = Settings(port=0, secret=SECRET, heartbeat=4.0, max_frame_bytes=400 * KIB)
    said: list[object] = []

    async def listener(run: Run, body: object) -> None:
        said.append(body)

    async with (
        open_runtime(settings, listener, journal=MemoryJournal()) as runtime,
        open_slow_link(await runtime.listen(page=False), bytes_per_second=10 * KIB) as link,
        connect(f"ws://127.0.0.1:{link.port}", token=token_for("alice", seconds=1e6)) as client,
    ):
        await client.say("x" * 300 * KIB)
        await kinds_until_completed(client)
        assert said == ["x" * 300 * KIB]
        assert link.connections == 1


@pytest.mark.fault("D7")
def test_a_frame_of_more_than_64_kib_is_announced_to_who_knows_the_feature(
    connect: Callable[..., Client],
) -> None:
    knows, knows_not = connect(), connect()
    assert knows.hello(features=["large"])["features"] == ["large"]
    knows_not.hello()
    size = 100 * KIB
    knows.ask("say", id="1", body={"shout": size})
    announced = knows.take("large")
    assert set(announced) == {"type", "bytes"}
    assert size < announced["bytes"] < size + 2 * KIB
    assert any(len(event["data"].get("text", "")) == size for event in knows.events())
    knows_not.events()
    assert [frame for frame in knows_not.fence() if frame["type"] == "large"] == []
    reply = knows.ask("history", id="2", limit=200)
    assert reply["events"]
    assert knows.take("large")["bytes"] > size
