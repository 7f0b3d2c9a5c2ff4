"""A Redis server of the tests: started once, as an ordinary user, on a loopback port."""

from __future__ import annotations

import atexit
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from greenroom.delivery.journal.journal import Journal

HAS_REDIS: Final = shutil.which("redis-server") is not None and find_spec("coredis") is not None
NEEDS_REDIS: Final = pytest.mark.skipif(not HAS_REDIS, reason="needs redis-server and coredis")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def needs(program: str) -> pytest.MarkDecorator:
    """Skips a test where that server is not installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


class RedisServer:
    """`settings`: more arguments. `sentinel`: the file of settings of a sentinel."""

    def __init__(
        self,
        directory: Path,
        *settings: str,
        program: str = "redis-server",
        sentinel: Path | None = None,
    ) -> None:
        self.directory = directory
        self._sentinel = sentinel
        self.program = program
        self._settings = settings
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1"]
        if self._sentinel is None:
            command += ["--dir", str(self.directory), "--save", "", *self._settings]
        else:
            command[1:1] = [str(self._sentinel), "--sentinel"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                self.command("PING")
            except ConnectionError:
                if self._process.poll() is not None:
                    raise
                time.sleep(0.01)
            else:
                return

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop it where it stands, until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str, number: int = 0) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            if self._sentinel is None:
                connection.sendall(f"SELECT {number}\r\n".encode())
                if connection.recv(65536) != b"+OK\r\n":
                    raise ConnectionError("it is not ready")
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(f"*{len(words)}\r\n{parts}".encode())
            return connection.recv(65536)

    def url(self, number: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{number}"


@contextmanager
def server_of_its_own(*settings: str, program: str = "redis-server") -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="greenroom-redis-") as directory:
        server = RedisServer(Path(directory), *settings, program=program)
        try:
            yield server
        finally:
            server.stop()


def redis_server(program: str = "redis-server") -> RedisServer:
    return _shared(program)


@cache
def _shared(program: str) -> RedisServer:
    directory = Path(tempfile.mkdtemp(prefix="greenroom-redis-"))
    server = RedisServer(directory, "--databases", "4096", program=program)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(server.stop)
    return server


_places: dict[str, int] = {}


def redis_url_of(directory: Path, program: str = "redis-server") -> str:
    """The database that stands for a directory of a test."""
    return redis_server(program).url(number_of(directory))


def number_of(directory: Path) -> int:
    return _places.setdefault(str(directory), len(_places))


_COPY: Final = """
for _, key in ipairs(redis.call('KEYS', '*')) do
    redis.call('COPY', key, key, 'DB', ARGV[1], 'REPLACE')
end
"""


def copy_journal(directory: Path, program: str = "redis-server") -> None:
    copy = number_of(directory / "copy")
    redis_server(program).command("EVAL", _COPY, "0", str(copy), number=number_of(directory))


def replace_journal(directory: Path, to: str, program: str = "redis-server") -> None:
    server, number = redis_server(program), number_of(directory)
    server.command("FLUSHDB", number=number)
    if to == "copy":
        server.command("SWAPDB", str(number), str(number_of(directory / "copy")))
    server.command("CLIENT", "KILL", "TYPE", "normal")


@asynccontextmanager
async def opened(url: str, lease_seconds: float = 5.0) -> AsyncIterator[Journal]:
    from greenroom.delivery.journal.redis.journal import open_redis_journal

    async with open_redis_journal(url, lease_seconds=lease_seconds) as journal:
        yield journal
