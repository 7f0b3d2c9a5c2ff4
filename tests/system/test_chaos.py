"""Everything goes wrong at once: `kill -9` again and again, under users whose sockets are cut."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio
from trio_websocket import ConnectionClosed, HandshakeError

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.transport.auth.tokens import sign_token
from tests.system.processes import SECRET, Place, free_port
from tests.system.tab import Tab

USERS = [f"user-{number}" for number in range(50)]
KILLS = 20
READY_SECONDS = 3.0
RETRY_SECONDS = 0.1  # 50 users who dial faster than that leave a server that starts no core
PACED = {"PIECES": "20", "PACE": "0.05"}


@attrs.define
class Weather:
    """Since when the server listens; None while it is dead."""

    listens_since: float | None = None
    is_over: bool = False
    reconnects: list[float] = attrs.field(factory=list)
    _stood_still: float = 0.0

    def now(self) -> float:
        """A clock that stands still while the machine does not let this process run."""
        return trio.current_time() - self._stood_still

    async def feel(self) -> None:
        while True:
            before = trio.current_time()
            await trio.sleep(0.02)
            if (late := trio.current_time() - before - 0.02) > 0.1:
                self._stood_still += late


@attrs.define
class Storm:
    """One user in the storm: speaks, reads a while, is cut, comes back, and keeps count."""

    user: str
    tab: Tab
    weather: Weather
    chance: random.Random
    said: list[str] = attrs.field(factory=list)
    answered: int = 0
    lost_at: float = 0.0

    async def live(self) -> None:
        self.lost_at = self.weather.now()
        while not self.weather.is_over:
            try:
                await self._connection()
            except* (OSError, HandshakeError, ConnectionClosed, trio.BrokenResourceError, Gone):
                await trio.sleep(RETRY_SECONDS)

    async def _connection(self) -> None:
        with trio.fail_after(60):
            async with self.tab.connected():
                self._measure()
                try:
                    await self._talk()
                finally:
                    self.lost_at = self.weather.now()

    def _measure(self) -> None:
        """From the cut to ready, all failed attempts included; from when the server listens."""
        listens = self.weather.listens_since
        if listens is not None:
            self.weather.reconnects.append(self.weather.now() - max(listens, self.lost_at))

    async def _talk(self) -> None:
        if len(self.said) == self.answered:
            self.said.append(f"{self.user} {len(self.said)}")
        before = len(self.tab.seen)
        await self.tab.send(type="say", id=self.said[-1], body=self.user)
        patience = self.chance.uniform(0.05, 1.5)
        with trio.move_on_after(patience):
            await self._until(lambda: self.said[-1] in self.tab.replies)
            assert self.tab.replies[self.said[-1]]["ok"], self.tab.replies[self.said[-1]]
            self.answered = len(self.said)
            await self._until(lambda: len(self.tab.seen) > before + 100)

    async def _until(self, condition: Callable[[], bool]) -> None:
        await self.tab.until(lambda: condition() or self.tab.is_over)
        if self.tab.is_over:
            raise Gone


class Gone(Exception):
    """The socket ended."""


async def kill_again_and_again(place: Place, weather: Weather, chance: random.Random) -> None:
    for _ in range(KILLS):
        async with place.process() as process:
            await process.until_listening()
            weather.listens_since = weather.now()
            await place.accept(chance.randrange(1, 250))
            weather.listens_since = None
            process.handle.kill()
            await process.ended()


async def catch_up(storm: Storm) -> None:
    async with storm.tab.connected():
        await storm.tab.until_offset(storm.tab.readies[-1]["offset"])
        await storm.tab.until(lambda: ended(storm.tab))


def ended(tab: Tab) -> bool:
    """Every run was ended for its user, those that a kill cut off as well."""
    runs = {event["run"] for event in tab.seen}
    ends = [e["run"] for e in tab.seen if e["kind"] in ("agent_completed", "agent_failed")]
    return sorted(runs) == sorted(ends)


@pytest.mark.slow
@pytest.mark.requirement("R35")
@pytest.mark.requirement("R34")
@pytest.mark.requirement("R23")
async def test_twenty_kills_under_fifty_users_lose_nothing_show_nothing_twice_tell_no_stranger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, free_port(), "paced_server.py", PACED)
    chance, weather = random.Random(35), Weather()
    storms = [
        Storm(user, Tab("127.0.0.1", place.port, sign_token(SECRET, user, 600)), weather, chance)
        for user in USERS
    ]
    with trio.fail_after(900):  # each wait within ends by itself: this is no measure of speed
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as people:
                nursery.start_soon(weather.feel)
                for storm in storms:
                    people.start_soon(storm.live)
                await kill_again_and_again(place, weather, chance)
                weather.is_over = True
            nursery.cancel_scope.cancel()
        async with place.process() as process:
            await process.until_listening()
            for storm in storms:
                await catch_up(storm)
    await check(place, storms)
    assert len(weather.reconnects) > len(USERS), "reconnects were measured"
    assert max(weather.reconnects) < READY_SECONDS
    with capsys.disabled():
        seen = sum(len(storm.tab.seen) for storm in storms)
        times = statistics.quantiles(weather.reconnects, n=100)
        print(
            f"\nchaos: {len(place.ledger):,} events accepted, {seen:,} shown,"
            f" {len(weather.reconnects):,} connects, p50 {times[49]:.3f} s, p99 {times[98]:.3f} s,"
            f" slowest {max(weather.reconnects):.3f} s"
        )


async def check(place: Place, storms: list[Storm]) -> None:
    kept: set[str] = set()
    async with open_sqlite_journal(place.journal) as journal:
        for storm in storms:
            user, tab = UserId.parse(storm.user), storm.tab
            records = await journal.read(user, after=0, limit=1_000_000, max_bytes=1 << 30)
            kept |= {f"{user} {record.offset} {record.id}" for record in records}
            shown = [(event["offset"], event["id"]) for event in tab.seen]
            assert shown == [(record.offset, record.id) for record in records], "each once"
            assert await journal.open_runs(user) == []
            said = [event["data"]["say"] for event in tab.seen if event["kind"] == "user_said"]
            assert len(said) == len(set(said)), "no say ran twice"
            assert set(storm.said[: storm.answered]) <= set(said)
            texts = {
                event["data"]["text"] for event in tab.seen if event["kind"] == "partial_result"
            }
            assert texts <= {storm.user}, "nobody saw what was another's"
    assert set(place.ledger) <= kept, "what was accepted is kept"
