"""Users who wander between nodes, and what must be true of what they saw."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import attrs
import trio
from trio_websocket import ConnectionClosed, HandshakeError

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import RUN_ENDS
from tests.system.nodes.cluster import RETRY_SECONDS, Cluster, Node, NodeTab, soon_connected

PATIENCE = 3.0


@attrs.define
class Weather:
    is_over: bool = False


class Gone(Exception):
    """The socket ended."""


@attrs.define
class Wanderer:
    """A user who speaks, reads a while, is cut, comes back at any node, and keeps count."""

    user: str
    tab: NodeTab
    nodes: Sequence[Node]
    weather: Weather
    chance: random.Random
    said: list[str] = attrs.field(factory=list)
    answered: int = 0

    async def live(self) -> None:
        while not self.weather.is_over:
            self.tab.port = self.chance.choice(self.nodes).port
            try:
                async with soon_connected(self.tab, PATIENCE):
                    await self._talk()
            except* (OSError, HandshakeError, ConnectionClosed, trio.BrokenResourceError, Gone):
                await trio.sleep(RETRY_SECONDS)

    async def _talk(self) -> None:
        """A `say` that has no answer, or is refused for now, is said again at another node."""
        if len(self.said) == self.answered:
            self.said.append(f"{self.user} {len(self.said)}")
        say, replies = self.said[-1], self.tab.replies
        replies.pop(say, None)
        await self.tab.send(type="say", id=say, body=self.user)
        with trio.move_on_after(self.chance.uniform(0.1, 3)):
            await self._until(lambda: say in replies)
            assert replies[say]["ok"] or replies[say]["error"]["temporary"], replies[say]
            self.answered += replies[say]["ok"]
            await self._until(lambda: False)

    async def _until(self, condition: Callable[[], bool]) -> None:
        await self.tab.until(lambda: condition() or self.tab.is_over)
        if self.tab.is_over:
            raise Gone

    async def catch_up(self, cluster: Cluster) -> None:
        """See all that is kept. Nothing happens to the nodes any more, but they may be slow."""
        is_done = False
        with trio.fail_after(60):
            while not is_done:
                self.tab.port = self.chance.choice(self.nodes).port
                try:
                    async with soon_connected(self.tab, 60):
                        last = await cluster.end_of_runs(self.user)
                        await self._until(lambda last=last: (self.tab.offset or 0) >= last)
                        is_done = True
                except* (ConnectionClosed, trio.BrokenResourceError, Gone):
                    await trio.sleep(RETRY_SECONDS)


async def check(cluster: Cluster, storms: Sequence[Wanderer]) -> None:
    """A slow node may keep a last message after its user has seen all that was kept and left: its
    run ends, and whoever comes back sees it."""
    kept: set[str] = set()
    for storm in storms:
        await cluster.end_of_runs(storm.user)
    async with cluster.engine.open() as journal:
        for storm in storms:
            user, tab = UserId.parse(storm.user), storm.tab
            records = await journal.read(user, after=0, limit=1_000_000, max_bytes=1 << 30)
            kept |= {f"{user} {record.offset} {record.id}" for record in records}
            shown = [(event["offset"], event["id"]) for event in tab.seen]
            until = tab.offset or 0
            known = [(record.offset, record.id) for record in records if record.offset <= until]
            assert shown == known, f"{user}: each once, {len(shown)} shown, {len(known)} kept"
            assert await journal.open_runs(user) == []
            ends = Counter(record.run for record in records if record.kind in RUN_ENDS)
            assert ends == Counter({record.run for record in records}), "each run ended once"
            said = [event["data"]["say"] for event in tab.seen if event["kind"] == "user_said"]
            assert len(said) == len(set(said)), "no say ran twice"
            assert set(storm.said[: storm.answered]) <= set(said)
            lost = [ready for ready in tab.readies[1:] if not ready["recovered"]]
            assert lost == [], "no place was lost"
            texts = {e["data"]["text"] for e in tab.seen if e["kind"] == "partial_result"}
            assert texts <= {storm.user}, "nobody saw what was another's"
    assert set(cluster.place.ledger) <= kept, "what was accepted is kept"
