"""A thousand users at once, over real sockets with real tokens: what becomes of them, counted.

How long it takes is not asserted here, as that is the machine's affair: `bench/storm.py` measures
connect-to-ready and the memory of idle connections, `bench/load.py` the way from emit to client.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

import greenroom
from greenroom.delivery.events.stages import Outcome
from greenroom.transport.auth.tokens import sign_token
from tests.system.tab import Tab

SECRET = "a secret of the tests, 32 bytes or more"
PIECE = "partial_result"
PATIENCE = 120.0  # how long the slowest machine may take, not how long it takes


@pytest.fixture(autouse=True)
def paused_collector() -> Iterator[None]:
    """With a thousand users and clients in one process, passes over its heap are half the time."""
    gc.disable()
    yield
    gc.enable()


@attrs.define
class Crowd:
    """Users with one tab each, who arrive `concurrency` at a time and stay until they may go."""

    port: int
    tabs: dict[str, Tab]
    waiting: Iterator[Tab] = attrs.field(init=False)
    tried: int = 0
    everyone_came: trio.Event = attrs.field(factory=trio.Event)
    may_go: trio.Event = attrs.field(factory=trio.Event)

    @classmethod
    def of(cls, users: int, port: int) -> Crowd:
        names = [f"user-{number}" for number in range(users)]
        tokens = {name: sign_token(SECRET, name, 600) for name in names}
        return cls(port, {name: Tab("127.0.0.1", port, tokens[name]) for name in names})

    @property
    def ready(self) -> int:
        return sum(len(tab.readies) == 1 for tab in self.tabs.values())

    async def arrive(self, nursery: trio.Nursery, concurrency: int) -> None:
        """Until every connect has succeeded or failed."""
        self.waiting = iter(self.tabs.values())
        for _ in range(concurrency):
            nursery.start_soon(self._arrive_in_turn, nursery)
        await self.everyone_came.wait()

    async def _arrive_in_turn(self, nursery: trio.Nursery) -> None:
        for tab in self.waiting:
            await nursery.start(self._stay, tab)
            self.tried += 1
            if self.tried == len(self.tabs):
                self.everyone_came.set()

    async def _stay(self, tab: Tab, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            async with tab.connected():
                task_status.started()
                await self.may_go.wait()
        except (OSError, trio.TooSlowError):  # counted: it is not ready
            task_status.started()


@attrs.frozen
class Speech:
    """To each user of a crowd, one run of so many pieces."""

    runtime: greenroom.Runtime
    crowd: Crowd
    pieces: int
    last: list[greenroom.Receipt] = attrs.field(factory=list)

    async def hold(self) -> None:
        """Until every user's client has all and acknowledged it."""
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                for user in self.crowd.tabs:
                    nursery.start_soon(self._speak, user)

    async def _speak(self, user: str) -> None:
        async with self.runtime.run(user=user, agent="speaker") as run:
            for number in range(self.pieces):
                receipt = await run.partial_result(text=f"{user} {number}")
        for event in await self.runtime.receipts(user=user):
            await event.wait_received(PATIENCE)
        self.last.append(receipt)

    async def outcomes(self) -> Counter[Outcome | None]:
        """Of the last pieces, once they are decided: within a second of the acknowledgement."""
        found = Counter[Outcome | None]()
        for receipt in self.last:
            while (outcome := (await receipt.standing()).outcome) is None:  # noqa: ASYNC110
                await trio.sleep(0.05)
            found[outcome] += 1
        return found

    def unheard(self) -> list[str]:
        """Some who have not got exactly its own events, in order, without a gap and none twice."""
        users = self.crowd.tabs.items()
        return [user for user, tab in users if not self._has_heard(user, tab)][:3]

    def _has_heard(self, user: str, tab: Tab) -> bool:
        """What is acknowledged late comes again, and clients pass it over: see "Client duties"."""
        events = {event["offset"]: event for event in tab.seen}
        pieces = [event["data"].get("text") for event in events.values() if event["kind"] == PIECE]
        return pieces == [f"{user} {number}" for number in range(self.pieces)] and (
            list(events) == list(range(1, self.pieces + 3))  # with the start of the run and its end
        )


@asynccontextmanager
async def crowded(folder: Path, users: int) -> AsyncIterator[tuple[greenroom.Runtime, Crowd]]:
    """A runtime at which a crowd has arrived, and stays for the length of the block."""
    settings = greenroom.Settings(journal=folder / "g.db", port=0, secret=SECRET)
    async with greenroom.open_runtime(settings) as runtime:
        crowd = Crowd.of(users, await runtime.listen())
        async with trio.open_nursery() as nursery:
            await crowd.arrive(nursery, concurrency=50)
            yield runtime, crowd
            crowd.may_go.set()


@pytest.mark.slow
@pytest.mark.requirement("R25")
@pytest.mark.requirement("R26")
async def test_a_storm_of_1000_users_gets_in_is_held_and_gets_all_its_events_acknowledged(
    tmp_path: Path,
) -> None:
    async with crowded(tmp_path, 1_000) as (runtime, crowd):
        assert crowd.ready == 1_000  # R25 asks for 99.9 %
        assert sum(user.gauge.listening for user in runtime.users.active()) == 1_000
        speech = Speech(runtime, crowd, pieces=2)
        await speech.hold()
        assert await speech.outcomes() == {Outcome.RECEIVED: 1_000}
        assert speech.unheard() == []
        assert runtime.restarts == 0


@pytest.mark.requirement("R36")
async def test_of_1000_events_to_100_users_none_is_missing_and_none_comes_twice(
    tmp_path: Path,
) -> None:
    """R36 says how soon, too: `python bench/load.py` measures that."""
    async with crowded(tmp_path, 100) as (runtime, crowd):
        assert crowd.ready == 100
        speech = Speech(runtime, crowd, pieces=10)
        await speech.hold()
        assert speech.unheard() == []
