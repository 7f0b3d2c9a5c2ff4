"""Serving processes for system tests: `python SCRIPT PORT JOURNAL`, with a ledger beside it."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio

import greenroom

ROOT = Path(__file__).parents[2]
HANDOVER = """
import os, sys
descriptor, *command = sys.argv[1:]
os.dup2(int(descriptor), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(command[0], command)
"""

SECRET = "a secret of the tests, 32 bytes or more"


def free_port() -> int:
    """A port for a server that comes and goes.

    Not one of those that the kernel gives to clients (from 32768 on Linux, from 49152 elsewhere):
    while the server is away, a client that tries to connect could be given it.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def serve(agent: greenroom.Agent) -> None:
    """In such a process: serve this agent."""
    greenroom.serve(
        agent,
        port=int(sys.argv[1]),
        journal=sys.argv[2],
        secret=os.environ["SECRET"],
        announce=lambda url: print(url, flush=True),
    )


def read_ledger(path: Path) -> list[str]:
    """The events whose emit has returned: `user offset id`. A line torn by a kill is not one."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if re.fullmatch(r"\S+ \d+ evt_\w{26}", line)]


@attrs.define(eq=False)
class Process:
    """A process that writes its log to stderr and its address to stdout once it listens."""

    handle: trio.Process
    output: bytes = b""
    is_silent: bool = False  # it closed its output: nothing more will come
    _news: trio.Event = attrs.field(factory=trio.Event)

    async def until_said(self, text: str, seconds: float = 60) -> None:
        with trio.move_on_after(seconds):
            while text.encode() not in self.output and not self.is_silent:
                self._news = trio.Event()
                await self._news.wait()
        assert text.encode() in self.output, f"never said {text!r}:\n{self.output.decode()}"

    async def until_listening(self) -> None:
        await self.until_said("http://")

    async def ended(self, seconds: float = 60) -> int:
        with trio.fail_after(seconds):
            return await self.handle.wait()

    async def read(self) -> None:
        assert self.handle.stdout is not None
        async for data in self.handle.stdout:
            self.output += data
            self._news.set()
        self.is_silent = True
        self._news.set()


@attrs.frozen
class Place:
    """Where servers follow one another: one folder, one port."""

    folder: Path
    port: int
    script: str
    environ: dict[str, str] = attrs.field(factory=dict)
    listening: socket.socket | None = None
    """A socket that each of them is handed, as systemd does."""

    @property
    def journal(self) -> Path:
        return self.folder / "g.db"

    @property
    def ledger(self) -> list[str]:
        return read_ledger(self.folder / "ledger")

    async def accept(self, more: int) -> None:
        """Wait until that many more events were accepted; a torn line may count as one."""
        goal = self._accepted + more
        await eventually(lambda: self._accepted >= goal)

    @property
    def _accepted(self) -> int:
        """Counted a hundred times a second: parsing took half of a core."""
        path = self.folder / "ledger"
        return path.read_bytes().count(b" evt_") if path.exists() else 0

    @asynccontextmanager
    async def process(self, *more: str) -> AsyncIterator[Process]:
        """A process that is killed at the end of the block, if it still lives."""
        script = Path(__file__).parent / self.script
        own = {"LEDGER": str(self.folder / "ledger"), "SECRET": SECRET, "PYTHONUNBUFFERED": "1"}
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        handed = [] if self.listening is None else [self.listening.fileno()]
        handover = [sys.executable, "-c", HANDOVER, *map(str, handed)] if handed else []
        handle = await trio.lowlevel.open_process(
            [*handover, sys.executable, script, str(self.port), *(more or [str(self.journal)])],
            pass_fds=handed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": paths, **own, **self.environ},
        )
        process = Process(handle)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.read)
            try:
                yield process
            finally:
                handle.kill()
                with trio.CancelScope(shield=True):
                    await handle.wait()
                nursery.cancel_scope.cancel()


async def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Until something another process does is seen."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  # it is another process that does it
            await trio.sleep(0.01)
