"""How the events of some users fare while another user does the worst that the limits allow.

The hostile user has events of 1 MB in its log and gets more of them, and has a dozen tabs: four
that read nothing, four that ask for all of its history again and again, one that says 60 kB at a
time, one that reports a thousand events as displayed with every frame, and two that come back every
half second to be sent everything from the beginning. Its neighbours each get ten events a second,
timed from the agent's emit to their client, and say something once a second, timed to the answer.

First without that user, then with it; the server, the hostile user and the neighbours are a
process each. Ends with 1 when a bound is passed.
"""

from __future__ import annotations

import argparse
import gc
import math
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path

import attrs
import trio
from side_by_side.client import Client, Refused, show, token_of
from side_by_side.order import STAMP, Order
from side_by_side.server import MEMORY, SQLITE, Server, allow_sockets, running

P99_MS, PEAK_MIB = 50.0, 300.0
PATIENCE = 30.0
HOSTILE = "--be-hostile"
BIG, WORDS = 1_000_000, 60_000  # characters of an event, of what is said
NOTHING_READ = 4_096  # the receive buffer of a tab that reads nothing


@attrs.define
class Neighbours:
    """What came of them: ms from emit to client, ms from a say to its answer, MiB at the peak."""

    events: list[float] = attrs.field(factory=list)
    says: list[float] = attrs.field(factory=list)
    peak: float = 0.0
    failures: Counter[str] = attrs.field(factory=Counter)

    async def listen(self, port: int, token: str, order: Order) -> None:
        with self._counted(), trio.fail_after(PATIENCE + order.events * order.every):
            client = await Client.connect(port, token)
            await client.send(type="say", id="events", body=attrs.asdict(order))
            while True:
                frame = await client.wait_for("events")
                now = time.monotonic_ns()
                for event in frame["events"]:
                    if event["kind"] == "partial_result":
                        self.events.append((now - int(event["data"]["text"][:STAMP])) / 1e6)
                await client.send(type="ack", offset=frame["events"][-1]["offset"])
                if frame["events"][-1]["kind"] == "agent_completed":
                    return

    async def say(self, port: int, token: str) -> None:
        """Once a second, in a run that does next to nothing."""
        with self._counted():
            client = await Client.connect(port, token)
            for number in count():
                await trio.sleep(random.uniform(0.5, 1.5))
                began = time.monotonic()
                await client.send(type="say", id=str(number), body=attrs.asdict(Order(1)))
                await self._answer(client)
                self.says.append((time.monotonic() - began) * 1e3)

    async def _answer(self, client: Client) -> None:
        while (frame := await client.receive())["type"] != "reply":
            if frame["type"] == "events":
                await client.send(type="ack", offset=frame["events"][-1]["offset"])

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except (OSError, Refused, trio.TooSlowError, trio.BrokenResourceError) as error:
            self.failures[f"{type(error).__name__}: {error}"] += 1

    async def watch(self, server: Server) -> None:
        while True:
            self.peak = max(self.peak, server.resident_kib() / 1024)
            await trio.sleep(0.1)


async def measure(server: Server, options: argparse.Namespace) -> Neighbours:
    found = Neighbours()
    events = round(options.seconds * 10)
    async with trio.open_nursery() as beside:
        beside.start_soon(found.watch, server)
        async with trio.open_nursery() as nursery:
            for number in range(options.neighbours):
                begin = time.monotonic() + random.uniform(0.5, 0.6)
                order = Order(events, every=0.1, begin=begin, acked=True)
                nursery.start_soon(found.listen, server.port, token_of(1 + 2 * number), order)
                beside.start_soon(found.say, server.port, token_of(2 + 2 * number))
        beside.cancel_scope.cancel()
    return found


# The hostile user, in a process of its own


async def be_hostile(port: int) -> None:
    token = token_of(0)
    await fill(port, token)
    tabs: list[Callable[[int, str], Awaitable[None]]] = [
        *[read_nothing] * 4,
        *[ask_for_history] * 4,
        *(say_much, display_all, take_big_events),
        *[come_back] * 2,
    ]
    async with trio.open_nursery() as nursery:
        for tab in tabs:
            nursery.start_soon(again_and_again, tab, port, token)
        print("hostile", flush=True)


async def again_and_again(
    tab: Callable[[int, str], Awaitable[None]], port: int, token: str
) -> None:
    """Whatever the server thinks of it; a polite pause keeps it from counting as a flood."""
    while True:
        with suppress(OSError, Refused, trio.BrokenResourceError, trio.ClosedResourceError):
            await tab(port, token)
        await trio.sleep(0.5)


async def fill(port: int, token: str) -> None:
    """A log worth asking for."""
    client = await Client.connect(port, token)
    for order in (Order(8, size=BIG), Order(40, size=WORDS)):
        await client.send(type="say", id=f"fill {order.size}", body=attrs.asdict(order))
        ended = False
        while not ended:
            frame = await client.wait_for("events")
            await client.send(type="ack", offset=frame["events"][-1]["offset"])
            ended = any(event["kind"] == "agent_completed" for event in frame["events"])
    await client.close()


async def read_nothing(port: int, token: str) -> None:
    client = await Client.connect(port, token, receive_buffer=NOTHING_READ)
    for number in range(60):
        await client.send(type="history", id=str(number), limit=200)
        await trio.sleep(0.05)
    await trio.sleep(60)


async def ask_for_history(port: int, token: str) -> None:
    async with reading(port, token) as client:
        for number in count():
            await client.send(type="history", id=str(number), limit=200)
            await trio.sleep(0.05)


async def say_much(port: int, token: str) -> None:
    async with reading(port, token) as client:
        body = attrs.asdict(Order(1, pad="x" * WORDS))
        for number in count():
            await client.send(type="say", id=f"{time.monotonic_ns()} {number}", body=body)
            await trio.sleep(0.05)


async def display_all(port: int, token: str) -> None:
    async with reading(port, token) as client:
        offsets = list(range(1, client.ready["offset"] + 1))
        while True:
            await client.send(type="displayed", offsets=offsets[:1000])
            await trio.sleep(0.05)


async def take_big_events(port: int, token: str) -> None:
    async with reading(port, token) as client:
        body = attrs.asdict(Order(1_000, size=BIG, every=0.5, begin=time.monotonic()))
        await client.send(type="say", id=f"big {time.monotonic_ns()}", body=body)
        await trio.sleep_forever()


async def come_back(port: int, token: str) -> None:
    """To be sent all of it, and take it for half a second."""
    client = await Client.connect(port, token)
    epoch = client.ready["epoch"]
    await client.close()
    client = await Client.connect(port, token, epoch=epoch, offset=0)
    with trio.move_on_after(0.5):
        while True:
            await client.receive()
    await client.close()


@asynccontextmanager
async def reading(port: int, token: str) -> AsyncIterator[Client]:
    """A tab that takes and acknowledges what it is sent."""
    client = await Client.connect(port, token)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(take, client)
            yield client
    except* (OSError, Refused, trio.BrokenResourceError, trio.ClosedResourceError) as errors:
        raise Refused("the server hung up") from errors
    finally:
        await client.close()


async def take(client: Client) -> None:
    while True:
        frame = await client.receive()
        if frame["type"] == "events":
            await client.send(type="ack", offset=frame["events"][-1]["offset"])


@contextmanager
def hostility(server: Server) -> Iterator[None]:
    command = [sys.executable, __file__, HOSTILE, str(server.port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if not process.stdout.readline():
            raise SystemExit("the hostile user could not fill its log: see above")
        yield
        if process.poll() is not None:
            raise SystemExit("the hostile user gave up: see above")
    finally:
        process.kill()
        process.wait()


def run(options: argparse.Namespace, *, hostile: bool) -> Neighbours:
    with running(options.server, options.directory) as server, ExitStack() as stack:
        if hostile:
            show("the hostile user fills its log")
            stack.enter_context(hostility(server))
        show("with the hostile user" if hostile else "without it")
        found = trio.run(measure, server, options)
        show("")
        return found


def tell(name: str, found: Neighbours) -> float:
    cuts = statistics.quantiles(found.events or [math.inf] * 2, n=100)
    says = statistics.quantiles(found.says or [math.inf] * 2, n=100)
    print(
        f"{name:10} {len(found.events):9,} {cuts[49]:9.1f} {cuts[98]:9.1f} {says[49]:9.1f}"
        f" {says[98]:9.1f} {found.peak:9.0f}"
    )
    for words, times in found.failures.items():
        print(f"    {times} neighbours were cut off: {words}")
    return cuts[98]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neighbours", type=int, default=10, help="users beside the hostile one")
    parser.add_argument("--seconds", type=int, default=20, help="how long the neighbours listen")
    parser.add_argument("--memory", action="store_true", help="keep the journal in memory only")
    parser.add_argument("--directory", type=Path, help="where to put the journal (default: /tmp)")
    parser.add_argument(HOSTILE, type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be_hostile:
        trio.run(be_hostile, options.be_hostile)
        return
    options.server = MEMORY if options.memory else SQLITE
    allow_sockets(100)
    gc.disable()  # its pauses would be the neighbours'
    print(f"{options.neighbours} neighbours, {options.seconds} s; {options.server}")
    print(" " * 10, "   events    p50 ms    p99 ms  say p50    say p99  peak MiB")
    quiet = tell("alone", run(options, hostile=False))
    found = run(options, hostile=True)
    p99 = tell("hostile", found)
    print(f"{p99 / quiet:.1f} × the p99 alone; bounds: {P99_MS:.0f} ms, {PEAK_MIB:.0f} MiB")
    if p99 > P99_MS or found.peak > PEAK_MIB or found.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
