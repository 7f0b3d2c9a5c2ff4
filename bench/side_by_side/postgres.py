"""A Postgres server of one's own: started as an ordinary user, on a socket in its directory."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from side_by_side.engine import Engine, free_port, seconds_of

_DEBIAN: Final = Path("/usr/lib/postgresql")


def program(name: str) -> str | None:
    """Where a program of the server is. Debian keeps them off the path, by version."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda each: int(each.parent.name), reverse=True)
    return next((found for each in versions if (found := shutil.which(name, path=each))), None) or (
        shutil.which(name)
    )


class PostgresServer(Engine):
    """`settings`: lines of postgresql.conf. A database is made when it is first asked for."""

    title = "Postgres"

    def __init__(self, directory: Path, *settings: str) -> None:
        self.directory = directory
        self._user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self._made: set[str] = set()
        self._data = directory / "data"
        if os.getuid() == 0:
            shutil.chown(directory, self._user)
        how = ("--auth-local=trust", "--auth-host=scram-sha-256", "-N", "-E", "UTF8", "--locale=C")
        self._run("initdb", "-U", "greenroom", *how)
        self.port = free_port()
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

    @property
    def pid(self) -> int:
        """Of its main process, whose children serve the connections."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def seconds(self) -> float:
        return seconds_of(self.pid)

    def command(self, sql: str, database: str = "postgres") -> None:
        """Have an administrator's command carried out."""
        with self._administrator(database) as admin:
            admin.execute(sql.encode())

    def bytes(self, database: str) -> int:
        """What the database takes on the disk."""
        with self._administrator(database) as admin:
            (size,) = admin.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(size)

    def _administrator(self, database: str) -> Any:
        import psycopg  # where it is missing, these tests are skipped

        url = f"postgresql://greenroom@:{self.port}/{database}?host={self.directory}"
        return psycopg.connect(url, autocommit=True)

    def _run(self, name: str, *arguments: str) -> None:
        command = [program(name) or name, "-D", str(self._data), *arguments]
        user = self._user if os.getuid() == 0 else None
        subprocess.run(command, user=user, check=True, stdout=subprocess.DEVNULL, cwd="/")
