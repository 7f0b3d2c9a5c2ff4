"""A Redis server of one's own, on a loopback port: a commit is synced to the disk."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from side_by_side.engine import Engine, free_port, seconds_of

DATABASES = 1024


class RedisServer(Engine):
    """Each name is a database of its own, by its number."""

    title = "Redis"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers: dict[str, int] = {}
        self._port = free_port()
        command = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(directory), "--databases", str(DATABASES)]
        command += ["--appendonly", "yes", "--appendfsync", "always"]
        command += ["--auto-aof-rewrite-percentage", "0"]  # a rewrite would be another's cost
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    @classmethod
    @contextmanager
    def alone(cls) -> Iterator[RedisServer]:
        if shutil.which("redis-server") is None:
            raise SystemExit("missing: needs redis-server")
        with tempfile.TemporaryDirectory(prefix="greenroom-redis-") as directory:
            server = cls(Path(directory))
            try:
                server._wait()
                yield server
            finally:
                server._process.kill()
                server._process.wait()

    def url(self, name: str) -> str:
        number = self._numbers.setdefault(name, len(self._numbers))
        return f"redis://127.0.0.1:{self._port}/{number}"

    def seconds(self) -> float:
        return seconds_of(self._process.pid)

    def bytes(self, name: str) -> int:
        """What its append-only file takes: one database is written at a time."""
        return sum(each.stat().st_size for each in self._directory.rglob("*") if each.is_file())

    def _wait(self) -> None:
        while self._process.poll() is None:
            with socket.socket() as found:
                if found.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
        raise SystemExit("redis-server did not start")
