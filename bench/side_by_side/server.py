"""The servers that are measured, each in a process of its own: greenroom, and its peer.

The peer is bare trio-websocket: it answers the same frames with frames of the same size, checks no
token, keeps nothing and numbers nothing.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import attrs
import orjson
import trio
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    serve_websocket,
)

import greenroom

SECRET = "a secret of the benchmark, 32 bytes or more"
PEER, MEMORY, SQLITE = "trio-websocket", "greenroom, memory", "greenroom, SQLite"
ACK_SECONDS = 30.0
STAMP = 100  # characters of a piece


@attrs.frozen
class Order:
    """What a client asks of a server: so many pieces, `burst` tasks emitting them at once.

    With a pace, one piece `every` seconds from `begin` on (of the machine's monotonic clock).
    `acked`: end only when the client acknowledged them all. `size` of a piece, in characters;
    `pad` is for nothing but the size of what was said.
    """

    events: int
    burst: int = 1
    every: float = 0.0
    begin: float = 0.0
    acked: bool = False
    size: int = STAMP
    pad: str = ""

    async def wait_due(self, number: int) -> None:
        if self.every:
            await trio.sleep(max(0.0, self.begin + number * self.every - time.monotonic()))


def piece(size: int = STAMP) -> str:
    """So many characters that begin with the time."""
    return f"{time.monotonic_ns():<{size}}"


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    """Emit what was ordered."""
    assert isinstance(said, dict)
    order = Order(**said)  # type: ignore[arg-type]  # our own client's

    async def emit(count: int) -> None:
        for number in range(count):
            await order.wait_due(number)
            last = await run.partial_result(text=piece(order.size))
        if order.acked:
            await last.wait_received(ACK_SECONDS)

    async with trio.open_nursery() as nursery:
        for _ in range(order.burst):
            nursery.start_soon(emit, order.events // order.burst)


class Peer:
    """One connection of the peer."""

    def __init__(self, socket: WebSocketConnection, nursery: trio.Nursery) -> None:
        self._socket = socket
        self._nursery = nursery
        self._acked = 0
        self._news = trio.Event()

    async def serve(self) -> None:
        while True:
            frame = orjson.loads(await self._socket.get_message())
            if frame["type"] == "hello":
                await self._send(type="ready", session="s" * 31, epoch="none")
            elif frame["type"] == "say":
                self._nursery.start_soon(self._answer, Order(**frame["body"]))
            elif frame["type"] == "ack":
                self._acked = frame["offset"]
                self._news.set()

    async def _answer(self, order: Order) -> None:
        with suppress(ConnectionClosed):
            for number in range(order.events):
                await order.wait_due(number)
                await self._send_event(number + 1, "partial_result", {"text": piece()})
            while order.acked and self._acked < order.events:
                self._news = trio.Event()
                await self._news.wait()
            await self._send_event(order.events + 1, "agent_completed", {"outcome": "ok"})

    async def _send_event(self, offset: int, kind: str, data: dict[str, str]) -> None:
        event = {"offset": offset, "kind": kind, "data": data, "run": "r" * 90}
        await self._send(type="events", epoch="none", events=[event])

    async def _send(self, **frame: object) -> None:
        await self._socket.send_message(orjson.dumps(frame).decode())


async def serve_peer() -> None:
    async def welcome(request: WebSocketRequest) -> None:
        socket = await request.accept(subprotocol="greenroom.v1")
        with suppress(ConnectionClosed):
            await Peer(socket, nursery).serve()

    async with trio.open_nursery() as nursery:
        listening = partial(serve_websocket, welcome, "127.0.0.1", 0, None)
        server = await nursery.start(listening)
        print(f"http://127.0.0.1:{server.port}/", flush=True)


def serve(kind: str, journal: str) -> None:
    if kind == PEER:
        trio.run(serve_peer)
        return
    chosen = Path(journal if kind == SQLITE else ":memory:")
    settings = greenroom.Settings(port=0, journal=chosen, secret=SECRET, log_level="warning")
    greenroom.serve(agent, settings=settings, announce=partial(print, flush=True))


@attrs.frozen
class Server:
    """A server process, seen from outside."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """User and system time of it and its threads (proc(5), /proc/pid/stat)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kib(self) -> float:
        """What it has in memory (proc(5), /proc/pid/statm)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024


@contextmanager
def running(kind: str, directory: Path | None = None) -> Iterator[Server]:
    """A server of this kind, its journal in a new folder within `directory`."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        command = [sys.executable, __file__, kind, f"{folder}/bench.db"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            url = process.stdout.readline()
            if not url:
                raise SystemExit(f"{kind} did not start: see above")
            yield Server(process.pid, int(url.rstrip("/\n").rpartition(":")[2]))
        finally:
            process.kill()
            process.wait()


def allow_sockets(count: int) -> None:
    """Let this process and its servers hold so many sockets each, or say what forbids it."""
    wanted = count + 256  # files, pipes, listeners
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(
            f"{count:,} sockets need {wanted:,} file descriptors, and this machine allows "
            f"{hard:,}: raise the hard limit (`ulimit -Hn`), or ask for fewer"
        )
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


if __name__ == "__main__":
    serve(*sys.argv[1:])
