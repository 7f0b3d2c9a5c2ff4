"""A PgBouncer in front of the tests' Postgres: each transaction in whichever session is free."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
from side_by_side.postgres import PostgresServer

from tests.delivery.journal.postgres_server import HAS_POSTGRES, postgres_server

_PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NEEDS_PGBOUNCER: Final = pytest.mark.skipif(
    _PROGRAM is None or not HAS_POSTGRES or find_spec("psycopg") is None, reason="needs pgbouncer"
)
START_SECONDS: Final = 10.0

# With two sessions a database, clients come upon each other's at once.
_SETTINGS: Final = """
[databases]
* = host={server.directory} port={server.port} user=greenroom

[pgbouncer]
listen_port = {port}
unix_socket_dir = {directory}
logfile = {directory}/log
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_login_retry = 0.1
"""


class PgBouncer:
    """Started as an ordinary user. `port` is that of its socket in `directory`."""

    def __init__(self, server: PostgresServer, directory: Path) -> None:
        self.directory = directory
        self.port = 6432
        settings = directory / "pgbouncer.ini"
        words = {"server": server, "port": self.port, "directory": directory}
        settings.write_text(_SETTINGS.format(**words))
        user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(directory, user)
        self._process = subprocess.Popen(
            [str(_PROGRAM), "-q", str(settings)],
            user=user if os.getuid() == 0 else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._await_socket()

    @property
    def socket(self) -> str:
        return f"{self.directory}/.s.PGSQL.{self.port}"

    def url(self, name: str) -> str:
        """The database of this name."""
        return f"postgresql://greenroom@:{self.port}/{name}?host={self.directory}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _await_socket(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
                client.connect(self.socket)
                return
            time.sleep(0.01)
        raise TimeoutError((self.directory / "log").read_text())


@cache
def pg_bouncer() -> PgBouncer:
    """The one that all tests share; it ends with this process."""
    directory = Path(tempfile.mkdtemp(prefix="greenroom-pgbouncer-"))
    bouncer = PgBouncer(postgres_server(), directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(bouncer.stop)
    return bouncer
