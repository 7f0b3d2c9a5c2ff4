"""Server CPU per event, from an agent's emit to the client's socket, beside bare trio-websocket.

Starts each server in a process of its own, lets `--users` clients ask for `--events` each, and
reads the server's CPU time from `/proc`. The peer sends the same number of frames of the same
size, nothing durable, nothing acknowledged. Prints medians of `--rounds` and ratios to the peer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, open_websocket, serve_websocket

import greenroom
from greenroom.transport.auth import sign_token

SECRET = "a secret of the benchmark, 32 bytes or more"
TEXT = "x" * 100
PEER, MEMORY, SQLITE = "trio-websocket", "greenroom, memory", "greenroom, SQLite"


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    """Emit `events` partial results, `burst` of them at a time."""
    assert isinstance(said, dict)
    events, burst = int(str(said["events"])), int(str(said["burst"]))

    async def emit(count: int) -> None:
        for _ in range(count):
            await run.partial_result(text=TEXT)

    async with trio.open_nursery() as nursery:
        for _ in range(burst):
            nursery.start_soon(emit, events // burst)


async def peer(request: WebSocketRequest) -> None:
    """Send as many frames as asked, each encoded on its own."""
    socket = await request.accept(subprotocol="greenroom.v1")
    try:
        while True:
            asked = json.loads(await socket.get_message())
            for offset in range(asked.get("body", {}).get("events", 0)):
                event = {"offset": offset, "kind": "partial_result", "data": {"text": TEXT}}
                frame = {"type": "events", "epoch": "none", "events": [{**event, "run": "r" * 90}]}
                await socket.send_message(orjson.dumps(frame).decode())
    except ConnectionClosed:
        return


async def serve_peer() -> None:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, peer, "127.0.0.1", 0, None)
        print(f"http://127.0.0.1:{server.port}/", flush=True)


def serve(kind: str, journal: str) -> None:
    if kind == PEER:
        trio.run(serve_peer)
        return
    settings = greenroom.Settings(
        port=0, journal=Path(journal if kind == SQLITE else ":memory:"), secret=SECRET
    )
    greenroom.serve(agent, settings=settings, announce=lambda url: print(url, flush=True))


@contextmanager
def server(kind: str) -> Iterator[tuple[int, int]]:
    """A server process: its pid and port."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--serve", kind, "--journal", f"{folder}/bench.db"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            url = process.stdout.readline()
            yield process.pid, int(url.rstrip("/\n").rpartition(":")[2])
        finally:
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads (proc(5), /proc/pid/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def client(port: int, user: str, say: dict[str, object], go: trio.Event) -> None:
    headers = [("Authorization", f"Bearer {sign_token(SECRET, user, 600)}")]
    async with open_websocket(
        "127.0.0.1", port, "/live", use_ssl=False, subprotocols=["greenroom.v1"],
        extra_headers=headers, message_queue_size=1000, max_message_size=1 << 24,
    ) as socket:  # fmt: skip
        await socket.send_message('{"type":"hello"}')
        await go.wait()
        await socket.send_message(json.dumps({"type": "say", "id": "1", "body": say}))
        missing = int(str(say["events"]))
        while missing:
            frame = await socket.get_message()
            missing -= frame.count('"partial_result"')


async def load(port: int, pid: int, users: int, say: dict[str, object]) -> float:
    """CPU microseconds of the server per event."""
    go = trio.Event()
    async with trio.open_nursery() as nursery:
        for number in range(users):
            nursery.start_soon(client, port, f"user-{number}", say, go)
        await trio.sleep(1.0)
        before = cpu_seconds(pid)
        go.set()
    return (cpu_seconds(pid) - before) / (users * int(str(say["events"]))) * 1e6


def measure(kind: str, options: argparse.Namespace) -> float:
    say: dict[str, object] = {"events": options.events, "burst": options.burst}
    figures = []
    for _ in range(options.rounds):
        with server(kind) as (pid, port):
            figures.append(trio.run(load, port, pid, options.users, say))
    return statistics.median(figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--events", type=int, default=160, help="events a user gets")
    parser.add_argument("--burst", type=int, default=1, help="tasks of an agent that emit at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--journal", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.journal)
        return
    print(f"{options.users} users, {options.events} events each, {options.burst} at a time")
    base = measure(PEER, options)
    print(f"{PEER:20} {base:8.1f} µs of server CPU per event")
    for kind in (MEMORY, SQLITE):
        figure = measure(kind, options)
        print(f"{kind:20} {figure:8.1f} µs of server CPU per event, {figure / base:.2f} × the peer")


if __name__ == "__main__":
    main()
