"""A Redis server of the tests: started once, as an ordinary user, on a loopback port."""

from __future__ import annotations

import atexit
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

HAS_REDIS: Final = shutil.which("redis-server") is not None and find_spec("coredis") is not None
NEEDS_REDIS: Final = pytest.mark.skipif(not HAS_REDIS, reason="needs redis-server and coredis")


class RedisServer:
    """`settings`: more arguments."""

    def __init__(self, directory: Path, *settings: str) -> None:
        self.directory = directory
        self._settings = settings
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = int(listening.getsockname()[1])
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir"]
        command += [str(self.directory), "--save", "", *self._settings]
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

    def command(self, *words: str, number: int = 0) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(f"SELECT {number}\r\n".encode())
            if connection.recv(65536) != b"+OK\r\n":
                raise ConnectionError("it is not ready")
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(f"*{len(words)}\r\n{parts}".encode())
            return connection.recv(65536)

    def url(self, number: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{number}"


@cache
def redis_server() -> RedisServer:
    directory = Path(tempfile.mkdtemp(prefix="greenroom-redis-"))
    server = RedisServer(directory, "--databases", "4096")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(server.stop)
    return server


_places: dict[str, int] = {}


def redis_url_of(directory: Path) -> str:
    """The database that stands for a directory of a test."""
    return redis_server().url(number_of(directory))


def number_of(directory: Path) -> int:
    return _places.setdefault(str(directory), len(_places))


_COPY: Final = """
for _, key in ipairs(redis.call('KEYS', '*')) do
    redis.call('COPY', key, key, 'DB', ARGV[1], 'REPLACE')
end
"""


def copy_journal(directory: Path) -> None:
    copy = number_of(directory / "copy")
    redis_server().command("EVAL", _COPY, "0", str(copy), number=number_of(directory))


def replace_journal(directory: Path, to: str) -> None:
    server, number = redis_server(), number_of(directory)
    server.command("FLUSHDB", number=number)
    if to == "copy":
        server.command("SWAPDB", str(number), str(number_of(directory / "copy")))
    server.command("CLIENT", "KILL", "TYPE", "normal")
