"""Sixty users at once, three sockets each, over real sockets with real tokens."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

import greenroom
from greenroom.transport.auth.tokens import sign_token
from tests.system.tab import Frame, Tab

SECRET = "a secret of the tests, 32 bytes or more"
USERS = [f"user-{number}" for number in range(60)]
RUNS, EVENTS_A_RUN = 2, 9


async def chatter(runtime: greenroom.Runtime, user: str) -> None:
    """One run: nine events that all carry the user's name."""
    async with runtime.run(user=user, agent="chatter") as run:
        await run.agent_thinking(text=user)
        for _ in range(3):
            await run.partial_result(text=user)
        async with run.tool("look", {"whose": user}) as tool:
            tool.result(user)
        await run.final_report(report=user)


async def watch(tab: Tab, expected: int, cut_at: int | None) -> None:
    """Stay until `expected` events were seen; be cut once on the way, and resume."""
    if cut_at is not None:
        async with tab.connected():
            await tab.until(lambda: len(tab.seen) >= cut_at)
    async with tab.connected():
        await tab.until(lambda: len(tab.seen) >= expected)


def offsets(events: list[Frame]) -> list[int]:
    return [event["offset"] for event in events]


@pytest.mark.requirement("R08")
@pytest.mark.requirement("R23")
@pytest.mark.requirement("R24")
@pytest.mark.requirement("R37")
async def test_every_socket_sees_exactly_its_own_users_events_in_order(tmp_path: Path) -> None:
    settings = greenroom.Settings(
        journal=tmp_path / "g.db", port=0, secret=SECRET, accept_deadline=60.0
    )  # hundreds of handshakes at once may take a busy machine longer than ten seconds
    chance = random.Random(60)
    total = RUNS * EVENTS_A_RUN
    tabs: dict[str, list[Tab]] = {}
    async with greenroom.open_runtime(settings) as runtime:
        port = await runtime.listen()
        for user in USERS:
            token = sign_token(SECRET, user, 600)
            tabs[user] = [
                Tab("127.0.0.1", port, token, offset=0, epoch=runtime.journal.epoch)
                for _ in range(3)
            ]
        async with trio.open_nursery() as nursery:
            for user in chance.sample(USERS, len(USERS)):
                for tab in tabs[user]:
                    cut_at = chance.choice([None, chance.randrange(total)])
                    nursery.start_soon(watch, tab, total, cut_at)
                for _ in range(RUNS):
                    nursery.start_soon(chatter, runtime, user)
    for user, his in tabs.items():
        for tab in his:
            assert offsets(tab.seen) == list(range(1, total + 1))
            assert tab.seen == his[0].seen
            said = [event["data"] for event in tab.seen if event["kind"] != "agent_started"]
            assert all(user in _texts(data) for data in said if data.get("outcome") is None)


def _texts(data: Frame) -> list[object]:
    return [*data.values(), *(data.get("arguments") or {}).values()]
