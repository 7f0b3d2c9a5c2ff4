"""What an actor costs beside a task with a trio memory channel, both measured in this run.

python bench/actors.py [--rounds 20000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import enum
import gc
import time
import tracemalloc
from collections.abc import Awaitable, Callable

import attrs
import trio
import trio.testing

from greenroom.actors import Actor, Machine, MachineRunner, On, Ref, Request, Step, run_actor, stay

BURST = 64  # messages sent before the receiver gets its turn
Bench = Callable[[int], Awaitable[float]]


class Question(Request[int]):
    pass


class Echo(Actor[object]):
    def __init__(self, target: int = 0) -> None:
        self.seen, self.target, self.full = 0, target, trio.Event()

    async def receive(self, message: object) -> object:
        self.seen += 1
        if self.seen == self.target:
            self.full.set()
        return 1


class Player(Actor["Player | int"]):
    """Tells the ball back until it has bounced enough."""

    def __init__(self) -> None:
        self.over = trio.Event()

    async def receive(self, message: Player | int) -> None:
        if isinstance(message, Player):
            self.partner = message
        elif message == 0:
            self.over.set()
        else:
            self.partner.ref.tell(message - 1)


class Turn(enum.Enum):
    ON = 1


@attrs.frozen
class Tick:
    pass


def tick(count: int, _: Tick) -> Step[Turn, int, str]:
    return stay(count + 1, "tock")


CLOCKWORK: Machine[Turn, int, str] = Machine(
    name="clockwork", states=Turn, initial=Turn.ON, transitions=[On(Turn.ON, Tick, tick)]
)


def starter(actor: Actor[object]) -> Callable[..., Awaitable[None]]:
    async def run(*, task_status: trio.TaskStatus[object]) -> None:
        await run_actor(actor, name="bench", task_status=task_status)

    return run


async def actor_tell(rounds: int) -> float:
    async with trio.open_nursery() as nursery:
        echo = Echo(rounds)
        ref: Ref[object] = await nursery.start(starter(echo))
        begin = time.perf_counter()
        for number in range(rounds):
            ref.tell(number)
            if number % BURST == 0:
                await trio.lowlevel.checkpoint()
        await echo.full.wait()
        spent = time.perf_counter() - begin
        nursery.cancel_scope.cancel()
    return spent


async def channel_tell(rounds: int) -> float:
    send, receive = trio.open_memory_channel[int](rounds)
    full = trio.Event()

    async def read() -> None:
        seen = 0
        async for _ in receive:
            seen += 1
        assert seen == rounds
        full.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        begin = time.perf_counter()
        for number in range(rounds):
            send.send_nowait(number)
            if number % BURST == 0:
                await trio.lowlevel.checkpoint()
        send.close()
        await full.wait()
        return time.perf_counter() - begin


async def actor_ask(rounds: int) -> float:
    async with trio.open_nursery() as nursery:
        ref: Ref[object] = await nursery.start(starter(Echo()))
        begin = time.perf_counter()
        for _ in range(rounds):
            await ref.ask(Question())
        spent = time.perf_counter() - begin
        nursery.cancel_scope.cancel()
    return spent


async def channel_ask(rounds: int) -> float:
    """The usual way: the question carries the channel for its answer."""
    send, receive = trio.open_memory_channel[trio.MemorySendChannel[int]](1)

    async def serve() -> None:
        async for reply in receive:
            reply.send_nowait(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        begin = time.perf_counter()
        for _ in range(rounds):
            reply, answer = trio.open_memory_channel[int](1)
            await send.send(reply)
            await answer.receive()
        spent = time.perf_counter() - begin
        nursery.cancel_scope.cancel()
    return spent


async def actor_ping_pong(rounds: int) -> float:
    async with trio.open_nursery() as nursery:
        ping, pong = Player(), Player()
        for player in (ping, pong):
            await nursery.start(starter(player))  # type: ignore[arg-type]  # any actor will do
        ping.partner, pong.partner = pong, ping
        begin = time.perf_counter()
        ping.ref.tell(2 * rounds)
        await ping.over.wait()
        spent = time.perf_counter() - begin
        nursery.cancel_scope.cancel()
    return spent


async def channel_ping_pong(rounds: int) -> float:
    to_pong, from_ping = trio.open_memory_channel[int](1)
    to_ping, from_pong = trio.open_memory_channel[int](1)

    async def pong() -> None:
        async for ball in from_ping:
            await to_ping.send(ball)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pong)
        begin = time.perf_counter()
        for ball in range(rounds):
            await to_pong.send(ball)
            await from_pong.receive()
        spent = time.perf_counter() - begin
        nursery.cancel_scope.cancel()
    return spent


async def actor_spawn(rounds: int) -> float:
    begin = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(rounds):
            echo = Echo()
            ref: Ref[object] = await nursery.start(starter(echo))
            echo.stop()
            ref.tell(0)
            await ref.wait_stopped()
    return time.perf_counter() - begin


async def channel_spawn(rounds: int) -> float:
    begin = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(rounds):
            over = trio.Event()
            send: trio.MemorySendChannel[int] = await nursery.start(serve_until_closed, over)
            send.send_nowait(0)
            send.close()
            await over.wait()
    return time.perf_counter() - begin


async def serve_until_closed(
    over: trio.Event, *, task_status: trio.TaskStatus[trio.MemorySendChannel[int]]
) -> None:
    send, receive = trio.open_memory_channel[int](1)
    task_status.started(send)
    await drain(receive)
    over.set()


async def drain(receive: trio.MemoryReceiveChannel[int]) -> None:
    async for _ in receive:
        pass


async def run_idle() -> None:
    await run_actor(Actor[object](), name="bench")


async def machine_step(rounds: int) -> float:
    runner, event = MachineRunner(CLOCKWORK, 0), Tick()
    begin = time.perf_counter()
    for _ in range(rounds):
        runner.handle(event)
    return time.perf_counter() - begin


async def channel_step(rounds: int) -> float:
    """One message through a channel, without a task switch."""
    send, receive = trio.open_memory_channel[Tick](1)
    event = Tick()
    begin = time.perf_counter()
    for _ in range(rounds):
        send.send_nowait(event)
        receive.receive_nowait()
    return time.perf_counter() - begin


async def actor_memory(count: int) -> float:
    """Bytes per parked actor."""
    return await memory_of(count, lambda nursery: nursery.start_soon(run_idle))


async def channel_memory(count: int) -> float:
    kept = []

    def start(nursery: trio.Nursery) -> None:
        send, receive = trio.open_memory_channel[int](1024)
        kept.append(send)
        nursery.start_soon(drain, receive)

    return await memory_of(count, start)


async def memory_of(count: int, start: Callable[[trio.Nursery], None]) -> float:
    gc.collect()
    tracemalloc.start()
    async with trio.open_nursery() as nursery:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(count):
            start(nursery)
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        nursery.cancel_scope.cancel()
    tracemalloc.stop()
    return float(after - before)


TIMED: list[tuple[str, Bench, Bench]] = [
    (f"tell (bursts of {BURST})", actor_tell, channel_tell),
    ("ask", actor_ask, channel_ask),
    ("ping-pong", actor_ping_pong, channel_ping_pong),
    ("spawn and stop", actor_spawn, channel_spawn),
    ("machine step", machine_step, channel_step),
]


def best(bench: Bench, rounds: int, repeats: int) -> float:
    """µs per round, of the fastest repeat: the one least disturbed by the machine."""
    return min(trio.run(bench, rounds) for _ in range(repeats)) / rounds * 1e6


def line(name: str, ours: float, theirs: float, unit: str) -> str:
    return f"{name:<24}{ours:>10.2f} {unit:<3}{theirs:>10.2f} {unit:<3}{ours / theirs:>8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Actors beside trio memory channels.")
    parser.add_argument("--rounds", type=int, default=20_000, help="operations per measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements; the best counts")
    options = parser.parse_args()
    print(f"{'':<24}{'actor':>13} {'channel':>13} {'ratio':>8}")
    for name, ours, theirs in TIMED:
        both = [best(bench, options.rounds, options.repeats) for bench in (ours, theirs)]
        print(line(name, both[0], both[1], "µs"))
    count = max(1, options.rounds // 10)
    sizes = [trio.run(bench, count) / count / 1024 for bench in (actor_memory, channel_memory)]
    print(line("memory, parked", sizes[0], sizes[1], "KiB"))


if __name__ == "__main__":
    main()
