"""A Postgres server of the tests: started once, as an ordinary user, on a socket of its own."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import pytest
from side_by_side.postgres import PostgresServer, program

HAS_POSTGRES: Final = (
    program("initdb") is not None
    and program("pg_ctl") is not None
    and find_spec("psycopg") is not None
)
NEEDS_POSTGRES: Final = pytest.mark.skipif(
    not HAS_POSTGRES, reason="needs Postgres (initdb, pg_ctl) and psycopg"
)


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


def copy_database(name: str) -> None:
    """Keep a copy of a database that no journal has open; a pooler may be connected to it."""
    server = postgres_server()
    server.command(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    server.command(f'DROP DATABASE IF EXISTS "{name} copy"')
    server.command(f'CREATE DATABASE "{name} copy" TEMPLATE "{name}"')


def replace_database(name: str, by: Literal["empty", "copy"]) -> None:
    """Put the copy, or a database without anything, in the place of a database."""
    server = postgres_server()
    server.command(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    server.command(f'DROP DATABASE "{name}" WITH (FORCE)')
    if by == "copy":
        server.command(f'ALTER DATABASE "{name} copy" RENAME TO "{name}"')
    else:
        server.command(f'CREATE DATABASE "{name}"')


def name_of(url: str) -> str:
    """The database's name in a URL of this module."""
    return url.split("/")[3].partition("?")[0]


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
