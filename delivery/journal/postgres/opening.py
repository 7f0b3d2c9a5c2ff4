"""Connects to Postgres, and brings the journal's tables up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from greenroom.delivery.errors import JournalBusy, JournalFailed, JournalTooNew
from greenroom.delivery.journal.postgres.connections.pooling import SCHEMA, JournalConnection
from greenroom.delivery.journal.postgres.tables import MIGRATIONS

MOVING: Final = "moving"
"""The name of an entry in `meta` that is there while a journal is moved here from a file."""

OLDEST: Final = 140_000
"""The oldest version of Postgres, as libpq gives it."""

# A server that has gone without a word is noticed after some 20 s; without these, after 2 hours
# (https://www.postgresql.org/docs/current/libpq-connect.html).
_DEFAULTS: Final = {
    "application_name": "greenroom",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
LOCK_SECONDS: Final = 5.0
"""Seconds for which a write waits for another node's: one that was cut off amid a transaction holds
its locks until Postgres notices."""

_MIGRATING, _WRITER = 0x67726E72, 0x67726E73
"""The keys of the advisory locks: of who creates or migrates the tables; and of a server of schema
version 1, which was the only one to write."""


def connect(url: str) -> JournalConnection:
    """A connection that finds the journal's tables. Raises `psycopg.Error`."""
    connection = JournalConnection.connect(
        make_conninfo(url, **(_DEFAULTS | conninfo_to_dict(url))), autocommit=True
    )
    try:
        connection.set_up()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_write(url: str) -> JournalConnection:
    """A connection that does not wait for long where another node has locked what it writes.
    Raises `psycopg.Error`."""
    connection = connect(url)
    try:
        connection.set("lock_timeout", str(round(LOCK_SECONDS * 1000)))
    except BaseException:
        connection.close()
        raise
    return connection


def named(url: str) -> str:
    """What errors call the server: without the password."""
    known = conninfo_to_dict(url)
    places = (known.get("host"), known.get("port"), known.get("dbname"))
    return "Postgres at " + "/".join(str(each) for each in places if each is not None)


def prepare(connection: psycopg.Connection[Any], new_epoch: str) -> str:
    """Create the tables or bring them up to date, and return the journal's epoch.

    Raises `psycopg.Error`, `JournalFailed`, `JournalBusy` and `JournalTooNew`.
    """
    _check_age(connection.info.server_version)
    with opening(connection):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        version = _version(connection)
        _check_not_newer(version)
        if version == 1:
            _await_the_only_writer(connection)
        for number, migration in enumerate(MIGRATIONS[version:], version + 1):
            connection.execute(migration.encode())
            _set(connection, "version", str(number))
        _set_new(connection, "epoch", new_epoch)
    return epoch_of(connection)


@contextmanager
def opening(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction in which no other process opens the journal. Raises `psycopg.Error`."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
        yield


def check_whole(connection: psycopg.Connection[Any]) -> None:
    """Raises `JournalBusy` while a journal is being moved here."""
    if connection.execute("SELECT 1 FROM meta WHERE name = %s", (MOVING,)).fetchone():
        raise JournalBusy(
            "a journal is being moved here, and not all of it has come",
            advice="stop the server that has its file open, and repeat `greenroom journal move`",
        )


def check_version(connection: psycopg.Connection[Any], where: str) -> None:
    """Raises `JournalFailed` where there is no journal, or an older one, and `JournalTooNew`."""
    version = _version(connection)
    _check_not_newer(version)
    if version < len(MIGRATIONS):
        found = f"has version {version} of a journal" if version else "has no journal"
        raise JournalFailed(
            f"{where} {found}",
            advice="start a server of this version on it once",
        )


def _check_not_newer(version: int) -> None:
    if version > len(MIGRATIONS):
        raise JournalTooNew(
            f"{SCHEMA} in Postgres has schema version {version}, but this greenroom reads up to"
            f" {len(MIGRATIONS)}",
            advice="use the version of greenroom that wrote it, or a newer one",
        )


def _check_age(version: int) -> None:
    if version < OLDEST:
        found, needed = version // 10_000, OLDEST // 10_000
        raise JournalFailed(
            f"this Postgres is version {found}, but the journal needs {needed}",
            advice="use a newer server",
        )


def _await_the_only_writer(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_WRITER,)).fetchone()
    if row is None or not row[0]:
        raise JournalBusy(
            "a server of an earlier version has the journal open, which shares it with no other",
            advice="stop it first, or start this one with --wait SECONDS",
        )


def epoch_of(connection: psycopg.Connection[Any]) -> str:
    """The journal's epoch; empty if there is no journal."""
    if not _has_tables(connection):
        return ""
    row = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    return "" if row is None else str(row[0])


def _version(connection: psycopg.Connection[Any]) -> int:
    if not _has_tables(connection):
        return 0
    row = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    return 0 if row is None else int(row[0])


def _has_tables(connection: psycopg.Connection[Any]) -> bool:
    found = connection.execute("SELECT to_regclass('meta')").fetchone()
    return found is not None and found[0] is not None


def _set(connection: psycopg.Connection[Any], name: str, value: str) -> None:
    connection.execute(
        "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def _set_new(connection: psycopg.Connection[Any], name: str, value: str) -> None:
    connection.execute("INSERT INTO meta VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, value))
