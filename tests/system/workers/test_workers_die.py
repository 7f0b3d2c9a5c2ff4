"""Web nodes and three workers: one worker is killed and one is frozen amid runs, and each run
has one end that its user sees."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from greenroom.transport.auth.tokens import sign_token
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES
from tests.delivery.journal.redis_server import NEEDS_REDIS
from tests.system.nodes.engines import engine
from tests.system.processes import SECRET, Place, eventually, free_port
from tests.system.tab import Tab

SECONDS = 180.0
"""Five processes start, on a machine that may be busy."""
USERS = ("alice", "bob", "carol", "dave")


def begun(place: Place) -> dict[str, list[tuple[int, int]]]:
    """By what was said, the attempts and the processes that began them."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    path = place.folder / "ledger"
    for line in path.read_text().splitlines() if path.exists() else []:
        *said, attempt, process = line.split()
        found[" ".join(said)].append((int(attempt), int(process)))
    return found


def ends(tab: Tab) -> list[str]:
    kinds = [str(each["kind"]) for each in tab.seen]
    return [each for each in kinds if each in ("agent_completed", "agent_failed")]


@pytest.mark.parametrize(
    ("kind", "web_nodes"),
    [
        pytest.param("postgres", 2, marks=NEEDS_POSTGRES),
        pytest.param("redis", 1, marks=NEEDS_REDIS),
    ],
)
@pytest.mark.requirement("R56")
async def test_runs_of_workers_that_are_killed_or_frozen_go_on_and_end_once(
    tmp_path: Path, kind: str, web_nodes: int
) -> None:
    shared = engine(kind, "workers")
    url = shared.url(shared.port)
    webs = [Place(tmp_path, free_port(), "workers/node.py") for _ in range(web_nodes)]
    async with AsyncExitStack() as stack:
        places = [(each, "web") for each in webs] + [(webs[0], "worker")] * 3
        started = [
            await stack.enter_async_context(place.process(role, url)) for place, role in places
        ]
        for process in started:
            await process.until_listening()
        tabs = [
            Tab("127.0.0.1", webs[number % web_nodes].port, sign_token(SECRET, user, 600))
            for number, user in enumerate(USERS)
        ]
        for number, tab in enumerate(tabs):
            await stack.enter_async_context(tab.connected())
            reply = await tab.ask(type="say", id=f"s{number}", body=f"hold {number}")
            assert reply["ok"]
        await eventually(lambda: len(begun(webs[0])) == len(tabs), SECONDS)
        running = [each[0][1] for each in begun(webs[0]).values()]
        killed, frozen = _two_of(running)
        os.kill(killed, signal.SIGKILL)
        os.kill(frozen, signal.SIGSTOP)
        gone = {killed, frozen}
        await eventually(
            lambda: all(each[-1][1] not in gone for each in begun(webs[0]).values()), SECONDS
        )
        os.kill(frozen, signal.SIGCONT)
        (tmp_path / "go").touch()
        for tab in tabs:
            await tab.until(lambda tab=tab: bool(ends(tab)))
            assert (await tab.ask(type="say", id="last", body="more"))["ok"]
            await tab.until(lambda tab=tab: len(ends(tab)) == 2)
            assert ends(tab) == ["agent_completed", "agent_completed"]
            offsets = [each["offset"] for each in tab.seen]
            assert offsets == list(range(1, len(offsets) + 1))
        for attempts in (each for said, each in begun(webs[0]).items() if said != "more"):
            assert [number for number, _ in attempts] == list(range(1, len(attempts) + 1))


def _two_of(processes: list[int]) -> tuple[int, int]:
    """Two workers with runs. Either one may have had room for all of them."""
    first, *rest = sorted(set(processes))
    return first, rest[0] if rest else first
