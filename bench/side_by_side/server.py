"""The servers that are measured, each in a process of its own: greenroom, and its peers.

The peers answer the same frames with frames of the same size, check no token, keep nothing.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

import attrs

from side_by_side.client import Client, SocketIoClient, token_of

PEER, MEMORY, SQLITE = "trio-websocket", "greenroom, memory", "greenroom, SQLite"
SHARED = "greenroom, on a shared database"
STARLETTE, SOCKETIO, NODE = "Starlette, uvloop", "python-socketio, uvloop", "Node socket.io"

BENCH: Final = Path(__file__).parents[1]
PEERS: Final = Path(__file__).parent / "peers"


@attrs.frozen
class Kind:
    """How to start a server, what must be installed for it, and who can talk to it."""

    module: str = ""
    needs: tuple[str, ...] = ()
    client: type[Client] = Client


GREENROOM: Final = Kind("greenroom_server")
KINDS: Final = {
    PEER: Kind("peers.trio_peer", ("trio_websocket",)),
    STARLETTE: Kind("peers.starlette_peer", ("starlette", "uvicorn", "uvloop")),
    SOCKETIO: Kind("peers.socketio_peer", ("socketio", "uvicorn", "uvloop"), SocketIoClient),
    NODE: Kind(client=SocketIoClient),
    MEMORY: GREENROOM,
    SQLITE: GREENROOM,
}
"""Those that need no other server: one on a database is started with its journal (`running`)."""


def missing(kind: str) -> str:
    """What is not installed that this kind needs; empty if it can be started."""
    if kind == NODE:
        node = [] if shutil.which("node") else ["node"]
        package = [] if (PEERS / "node_modules/socket.io").exists() else ["npm's socket.io"]
        return " and ".join(node + package)
    return " and ".join(each for each in KINDS[kind].needs if not importlib.util.find_spec(each))


@attrs.frozen
class Server:
    """A server process, seen from outside."""

    nodes: ClassVar = 1

    pid: int
    port: int
    kind: str = PEER

    async def connect(self, number: int) -> Client:
        """The user of that number, up to `ready`. Raises `Refused` or `OSError`."""
        return await _found(self.kind).client.connect(self.port, token_of(number))

    def cpu_seconds(self) -> float:
        """User and system time of it and its threads, as clock_getcpuclockid(3) has it."""
        return time.clock_gettime(~self.pid << 3 | 2)

    def resident_kib(self) -> float:
        """What it has in memory (proc(5), /proc/pid/statm)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024


@contextmanager
def running(
    kind: str,
    directory: Path | None = None,
    journal: Path | str | None = None,
    *,
    under: tuple[str, ...] = (),
) -> Iterator[Server]:
    """A server of this kind; its journal is new, in `directory`, unless one is passed, as is that
    of a server on Postgres. `under`: a
    module that runs the server's, and its arguments."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        own = Path(folder, "bench.db") if kind == SQLITE else ":memory:"
        command = _command(kind, str(journal or own), under)
        found = {**os.environ, "PYTHONPATH": str(BENCH)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=found) as process:
            assert process.stdout is not None
            try:
                url = process.stdout.readline()
                if not url:
                    raise SystemExit(f"{kind} did not start: see above")
                yield Server(process.pid, int(url.rstrip("/\n").rpartition(":")[2]), kind)
            finally:
                process.kill()


def _command(kind: str, journal: str, under: tuple[str, ...]) -> list[str]:
    if kind == NODE:
        return ["node", str(PEERS / "node_peer.js")]
    command = [sys.executable, "-m", *under, f"side_by_side.{_found(kind).module}"]
    return [*command, journal] if _found(kind) is GREENROOM else command


def _found(kind: str) -> Kind:
    return GREENROOM if kind == SHARED else KINDS[kind]


def allow_sockets(count: int) -> None:
    """Let this process and its servers hold that number of sockets each, or say what forbids it."""
    wanted = count + 256  # files, pipes, listeners
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(
            f"{count:,} sockets need {wanted:,} file descriptors, and this machine allows "
            f"{hard:,}: raise the hard limit (`ulimit -Hn`), or ask for fewer"
        )
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
