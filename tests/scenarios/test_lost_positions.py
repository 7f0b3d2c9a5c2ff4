"""An event that is lost on a live connection is noticed within a heartbeat, and resumed (4106)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe

import attrs
import pytest
import trio

from greenroom import Event, Kind, Run, connect
from greenroom.delivery.user.messages import DeliverEvents
from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client
from tests.protocol.server import Server, token_for
from tests.scenarios.leaky_path import Loses, leaky_path
from tests.scenarios.stage import Serving, offsets

pytestmark = [
    pytest.mark.requirement("R34"),
    pytest.mark.requirement("R02"),
    pytest.mark.every_server,
]


@pytest.mark.parametrize(
    "lost", [Kind.AGENT_COMPLETED, Kind.AGENT_THINKING], ids=["nothing follows it", "more follows"]
)
def test_an_event_that_a_bad_proxy_swallowed_is_asked_for_again(
    lost: Kind, serving: Serving
) -> None:
    """The end of a turn that gets lost has nothing behind it: only the next ping shows the gap."""

    async def agent(run: Run, _: object) -> None:
        thought = await run.agent_thinking(text="hm")
        if lost is not Kind.AGENT_THINKING:
            await thought.wait_received(10)  # so that the next event has a frame of its own

    swallowed: list[bytes] = []

    def loses(frame: bytes) -> bool:
        is_lost = lost.encode() in frame and not swallowed
        swallowed.extend([frame] * is_lost)
        return is_lost

    with serving(agent=agent, heartbeat=3.0) as server:
        seen = trio.run(story, server.port, loses)
        assert Scrape(server).value("connections_closed_total", "4106", "client") == 1
    assert len(swallowed) == 1
    assert [event.offset for event in seen] == [1, 2, 3, 4]


async def story(port: int, loses: Loses) -> list[Event]:
    """What a user behind the bad proxy sees, from what they say to the end."""
    seen = []
    async with (
        leaky_path(port, loses) as path,
        connect(f"ws://127.0.0.1:{path}", token=token_for("alice")) as client,
    ):
        await client.say("hello")
        with trio.fail_after(20):
            async for event in client.events():
                seen.append(event)
                if event.kind is Kind.AGENT_COMPLETED:
                    break
    return seen


def test_events_that_were_trimmed_under_a_slow_reader_close_4106_and_it_hears_what_is_gone(
    connect: Callable[..., Client], tmp_path: Path, user: str, serving: Serving
) -> None:
    """It reads nothing while its page waits, and meanwhile the journal forgets what is next."""
    with serving(journal=tmp_path / "g.db") as server:

        async def shout() -> None:
            async with server.runtime.run(user=user, agent="analyst") as run:
                for _ in range(40):
                    await run.partial_result(text=token_urlsafe(187_500))  # a server may compress

        server.run(shout)
        epoch = server.runtime.journal.epoch
        client = connect(server)
        client.hello(epoch=epoch, offset=0)
        first = client.take("events")["events"]
        server.run(lambda: server.runtime.journal.trim(user, through=38))  # type: ignore[arg-type]
        assert client.closed_with() == 4106
        assert client.take("closing")["reconnect"] is not None
        told = first + [e for f in client.kept if f["type"] == "events" for e in f["events"]]
        assert offsets(told) == [*range(1, len(told) + 1)], "nothing was sent past the gap"
        assert len(told) < 38
        again = connect(server)
        ready = again.hello(epoch=epoch, offset=len(told), session=client.ready["session"])
        assert ready["recovered"] is False
        assert offsets(again.events()) == [39, 40, 41, 42]


def test_a_gap_in_what_the_server_is_about_to_send_closes_4106_and_resumes_whole(
    client: Client, connect: Callable[..., Client], server: Server, scrape: Scrape, user: str
) -> None:
    """A delivery goes missing inside the server, on purpose."""
    closed = scrape.value("connections_closed_total", "4106", "server")
    first = client.story("hello")

    async def skip() -> None:
        (handle,) = [each for each in server.runtime.users.active() if each.user == user]
        journal = server.runtime.journal
        (last,) = await journal.read(handle.user, after=2, limit=1, max_bytes=1 << 20)
        connection = handle.connections.child(client.ready["connection"])
        for offset in (4, 6):  # at once, so that they would share a frame
            news = DeliverEvents([attrs.evolve(last, offset=offset)], replay=False)
            connection.tell(news)  # type: ignore[attr-defined]  # a Ref

    server.run(skip)
    assert client.closed_with() == 4106
    told = [frame["events"] for frame in client.kept if frame["type"] == "events"]
    assert [len(events) for events in told] == [1], "what came before the gap, and nothing past it"
    scrape.wait("connections_closed_total", "4106", "server", at_least=closed + 1)
    again = connect()
    place = {"session": client.ready["session"], "epoch": client.ready["epoch"], "offset": 1}
    assert again.hello(**place)["recovered"] is True
    assert again.events() == first[1:]
