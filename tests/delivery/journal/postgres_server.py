"""A Postgres server of the tests: started once, as an ordinary user, on a socket of its own."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

_DEBIAN: Final = Path("/usr/lib/postgresql")


def program(name: str) -> str | None:
    """Where a program of the server is. Debian keeps them off the path, by version."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda each: int(each.parent.name), reverse=True)
    return next((found for each in versions if (found := shutil.which(name, path=each))), None) or (
        shutil.which(name)
    )


HAS_POSTGRES: Final = (
    program("initdb") is not None
    and program("pg_ctl") is not None
    and find_spec("psycopg") is not None
)
NEEDS_POSTGRES: Final = pytest.mark.skipif(
    not HAS_POSTGRES, reason="needs Postgres (initdb, pg_ctl) and psycopg"
)


class PostgresServer:
    """`settings`: lines of postgresql.conf. A database is made when it is first asked for."""

    def __init__(self, directory: Path, *settings: str) -> None:
        self.directory = directory
        self._user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self._made: set[str] = set()
        self._data = directory / "data"
        if os.getuid() == 0:
            shutil.chown(directory, self._user)
        how = ("--auth-local=trust", "--auth-host=scram-sha-256", "-N", "-E", "UTF8", "--locale=C")
        self._run("initdb", "-U", "greenroom", *how)
        self.port = _free_port()
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{line}\n" for line in settings)
        self.start()

    @classmethod
    @contextmanager
    def alone(cls, *settings: str) -> Iterator[PostgresServer]:
        """A test's own. Not below pytest's directories: another pytest, as it starts, takes from
        the server's user the right to enter them."""
        with tempfile.TemporaryDirectory(prefix="greenroom-postgres-") as directory:
            server = cls(Path(directory), *settings)
            try:
                yield server
            finally:
                server.stop()

    def start(self) -> None:
        options = f"-c port={self.port} -c unix_socket_directories={self.directory}"
        self._run("pg_ctl", "start", "-w", "-l", str(self.directory / "log"), "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "stop", "-m", mode, "-w")

    def url(self, name: str) -> str:
        """The database of this name."""
        if name not in self._made:
            self._made.add(name)
            self.command(f'CREATE DATABASE "{name}"')
        return f"postgresql://greenroom@:{self.port}/{name}?host={self.directory}"

    def command(self, sql: str, database: str = "postgres") -> None:
        """Have an administrator's command carried out."""
        import psycopg  # where it is missing, these tests are skipped

        url = f"postgresql://greenroom@:{self.port}/{database}?host={self.directory}"
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(sql.encode())

    def _run(self, name: str, *arguments: str) -> None:
        command = [program(name) or name, "-D", str(self._data), *arguments]
        user = self._user if os.getuid() == 0 else None
        subprocess.run(command, user=user, check=True, stdout=subprocess.DEVNULL, cwd="/")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@cache
def postgres_server() -> PostgresServer:
    """The server that all tests share; it ends with this process. What it says is durable is in the
    memory of the machine: that is enough where no machine is cut off."""
    directory = Path(tempfile.mkdtemp(prefix="greenroom-postgres-"))
    server = PostgresServer(directory, "fsync = off", "max_connections = 200")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(server.stop)
    return server


_places: dict[str, Path] = {}  # which database stands for which directory


def database_of(directory: Path) -> str:
    """The URL of the database that stands for a directory of a test. One that stood for a directory
    of an earlier test is emptied and used again: that takes a tenth of the time."""
    server = postgres_server()
    for name, place in _places.items():
        if place == directory:
            return server.url(name)
    for name, place in _places.items():
        if _test_of(place) != _test_of(directory):
            _places[name] = directory
            server.command(_EMPTY, name)
            return server.url(name)
    name = f"test{len(_places)}"
    _places[name] = directory
    return server.url(name)


def _test_of(directory: Path) -> str:
    """The part of the path that each test has of its own."""
    parts = directory.parts
    return parts[next((n for n, part in enumerate(parts) if "pytest-" in part), 1) + 1]


_EMPTY: Final = """
DO $$ BEGIN
    IF to_regclass('greenroom.meta') IS NOT NULL THEN
        EXECUTE (SELECT 'TRUNCATE ' || string_agg('greenroom.' || tablename, ', ')
                 || ' RESTART IDENTITY' FROM pg_tables
                 WHERE schemaname = 'greenroom' AND tablename != 'meta');
        DELETE FROM greenroom.meta WHERE name != 'version';
    END IF;
END $$
"""
