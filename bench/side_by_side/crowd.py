"""Users who are all given events from the same moment on, and what that took of their server."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import attrs
import trio

from side_by_side.client import Client, Frame, Refused
from side_by_side.cluster import Cluster
from side_by_side.order import STAMP, Order
from side_by_side.server import Server

PATIENCE = (
    280.0  # seconds from a run's start, beyond the order's own: the last of 10,000 starts late
)
AT_ONCE = 50  # connects
ACK_EVENTS, ACK_SECONDS = 32, 0.05  # as greenroom's clients do it


class Failed(Exception):
    """Some users were cut off, or waited in vain."""


@attrs.define
class Crowd:
    """Each user has one run of the order. It begins when all are ready; only events are measured.

    A user connects, says what it wants, and sees its run started, before the clock runs; and a
    run that `stays` ends after it. With a pace, users begin at moments spread over `every`, and all
    runs may end at the same moment.
    """

    server: Server | Cluster
    users: int
    order: Order
    latencies: list[float] = attrs.field(factory=list)  # ms from emit to client, of a pace
    received: int = 0  # events
    acked: int = 0  # users whose run ended, which it does when all is acknowledged
    failures: Counter[str] = attrs.field(factory=Counter)
    cpu: float = 0.0  # seconds of the server
    wall: float = 0.0
    events: int = 0  # within that time
    _starting: set[int] = attrs.field(init=False)
    _listening: set[int] = attrs.field(init=False)
    _started: trio.Event = attrs.field(factory=trio.Event)
    _served: trio.Event = attrs.field(factory=trio.Event)
    _limit: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(AT_ONCE))

    def __attrs_post_init__(self) -> None:
        self._starting, self._listening = set(range(self.users)), set(range(self.users))

    async def run(self) -> None:
        """Measure. What happened to users who were cut off is in `failures`."""
        phases = random.Random(self.users)  # the same for every server
        async with trio.open_nursery() as nursery:
            for number in range(self.users):
                phase = phases.uniform(0, self.order.every)
                rest = self.order.rest - phase  # all end at one moment
                order = attrs.evolve(self.order, gated=True, begin=phase, rest=rest)
                nursery.start_soon(self._user, number, order)
            await self._started.wait()
            await self._measure(await self._open_gate())
            if self.order.stays:
                nursery.cancel_scope.cancel()

    async def _open_gate(self) -> float:
        """Let all begin soon, when this user's own run is over and all agents wait."""
        async with AsyncExitStack() as stack:
            openers = []
            for number in range(self.users, self.users + self.server.nodes):
                openers.append(await self.server.connect(number))
                stack.push_async_callback(openers[-1].close)
            moment = time.monotonic() + 0.3 + self.users / 10_000
            for opener in openers:
                await self._say(opener, Order(0, begin=moment, opens=True))
            await sleep_until(moment)
        return moment

    async def _say(self, client: Client, order: Order) -> None:
        """With an id of its own: a journal that served another crowd has kept what that said."""
        await client.send(type="say", id=str(time.monotonic_ns()), body=attrs.asdict(order))

    async def _measure(self, moment: float) -> None:
        before, begun = self.server.cpu_seconds(), time.monotonic()
        if self.order.every:
            await sleep_until(moment + self.order.events * self.order.every)
        else:
            await self._served.wait()
        self.cpu = self.server.cpu_seconds() - before
        self.wall, self.events = time.monotonic() - begun, self.received

    async def _user(self, number: int, order: Order) -> None:
        with self._counted(number):
            async with AsyncExitStack() as stack:
                async with self._limit:
                    client = await self.server.connect(number)
                    stack.push_async_callback(client.close)
                    await self._say(client, order)
                    offset = await self._wait_started(client)
                self._count_started(number)
                with trio.fail_after(PATIENCE + order.events * order.every):
                    await self._listen(number, client, offset)

    @contextmanager
    def _counted(self, number: int) -> Iterator[None]:
        """A user that fails is none to wait for."""
        try:
            yield
        except (OSError, Refused, trio.TooSlowError, trio.BrokenResourceError) as error:
            self.failures[f"{type(error).__name__}: {error}"] += 1
            self._count_started(number)
            self._count_served(number)

    async def _wait_started(self, client: Client) -> int:
        while True:
            for event in (await client.wait_for("events"))["events"]:
                if event["kind"] == "agent_started":
                    offset = int(event["offset"])
                    await client.send(type="ack", offset=offset)
                    return offset

    async def _listen(self, number: int, client: Client, offset: int) -> None:
        missing, acked, acked_at = self.order.events, offset, time.monotonic()
        while True:
            events = (await client.wait_for("events"))["events"]
            fresh = [event for event in events if event["offset"] > offset]  # none sent again
            offset, now = max(offset, events[-1]["offset"]), time.monotonic()
            missing -= self._take(fresh)
            if self.order.acked or offset >= acked + ACK_EVENTS or now >= acked_at + ACK_SECONDS:
                acked, acked_at = offset, now
                await client.send(type="ack", offset=offset)
            if missing == 0:
                self._count_served(number)
            if fresh and fresh[-1]["kind"] == "agent_completed":
                self.acked += 1
                return

    def _take(self, events: list[Frame]) -> int:
        """The number of pieces; those for a slow client arrive merged."""
        pieces = [event["data"] for event in events if event["kind"] == "partial_result"]
        if self.order.every:
            now = time.monotonic_ns()
            self.latencies += [(now - int(data["text"][:STAMP])) / 1e6 for data in pieces]
        count = sum(1 + len(data.get("merges", ())) for data in pieces)
        self.received += count
        return count

    def _count_started(self, number: int) -> None:
        self._starting.discard(number)
        if not self._starting:
            self._started.set()

    def _count_served(self, number: int) -> None:
        self._listening.discard(number)
        if not self._listening:
            self._served.set()


async def measure(server: Server | Cluster, users: int, order: Order) -> dict[str, float]:
    """Of the server: CPU µs per event, cores that kept busy, events per second."""
    crowd = Crowd(server, users, order)
    await crowd.run()
    if crowd.failures:
        ((words, count),) = crowd.failures.most_common(1)
        raise Failed(f"{count:,} of {users:,} users, {words}")
    return {
        "CPU µs/event": crowd.cpu / crowd.events * 1e6,
        "cores": crowd.cpu / crowd.wall,
        "events/s": crowd.events / crowd.wall,
    }


async def sleep_until(moment: float) -> None:
    """Not at all if it has passed, as it may have on a busy machine."""
    await trio.sleep(max(0.0, moment - time.monotonic()))
