"""A client belongs to its trio run: calls from other threads are refused, and lose nothing."""

from __future__ import annotations

import pytest

from tests.other_threads import refused_in_another_run
from tests.transport.client.scripted_server import RUN, THREAD, join, server, take

pytestmark = [pytest.mark.fault("W21"), pytest.mark.requirement("R39")]

CALLS = {
    "say": lambda client: client.say("hello"),
    "cancel": lambda client: client.cancel(RUN),
    "history": lambda client: client.history(),
    "displayed": lambda client: client.displayed([1]),
    "confirm": lambda client: client.confirm(1),
    "typing": lambda client: client.typing(THREAD),
    "events": lambda client: take(client, 1),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_client_takes_no_call_of_another_thread_and_goes_on(call):
    heard = []

    async def script(peer):
        await peer.welcome()
        frame = await peer.hear("say")
        heard.append(frame["body"])
        await peer.send("reply", id=frame["id"], ok=True, run=RUN, thread=THREAD)
        await peer.send_events(1)

    async with server(script) as url, join(url) as client:
        await refused_in_another_run(lambda: CALLS[call](client))
        started = await client.say("here")
        assert started.run == RUN
        assert await take(client, 1) == [1]
    assert heard == ["here"]
