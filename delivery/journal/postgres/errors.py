"""Translates the errors of Postgres into `JournalError`s."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import orjson
import psycopg
from psycopg import errors

from greenroom.delivery.errors import (
    JournalBusy,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalLost,
    JournalReadOnly,
    JournalUnreachable,
    LeaseLost,
    OutOfSequence,
)
from greenroom.delivery.journal.postgres.connections.pooling import OTHER_JOURNAL
from greenroom.delivery.journal.postgres.node_tables import TAKEN
from greenroom.delivery.journal.postgres.tables import FENCED

_REFUSED: Final = (
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.InvalidCatalogName,
    errors.InsufficientPrivilege,
)
_REFUSALS: Final = ("password authentication", "pg_hba.conf", "does not exist", "permission denied")
"""Of a connection that was refused libpq has no SQLSTATE, only the server's words."""

_GONE: Final = (errors.UndefinedTable, errors.UndefinedFunction, errors.InvalidSchemaName)
_BUSY: Final = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
_FULL: Final = (errors.DiskFull, errors.OutOfMemory)
_READ_ONLY: Final = (errors.ReadOnlySqlTransaction,)


@contextmanager
def in_our_words(where: str) -> Iterator[None]:
    """Raise errors of Postgres inside the block as a `JournalError`. `where` names the database,
    without its password."""
    try:
        yield
    except psycopg.Error as error:
        raise in_words(where, error) from error


def in_words(where: str, error: psycopg.Error) -> JournalError:
    """The error that callers of the journal see."""
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if error.sqlstate == FENCED:
        user, last, thought = orjson.loads(error.diag.message_detail or "")
        return OutOfSequence(user, last + 1, thought + 1)
    if error.sqlstate == TAKEN:
        return LeaseLost(
            f"another node has the runs of this one, by {where}",
            advice="nothing; this server goes on as a new node",
        )
    if isinstance(error, _GONE) or OTHER_JOURNAL in said:
        return JournalLost(
            f"{where} has another journal now, or none: {said}",
            advice="restart the service: clients begin again with the journal that is there",
        )
    if isinstance(error, _REFUSED) or _is_refusal(said):
        return JournalFailed(
            f"{where} refuses this service: {said}",
            advice="check the user, the password, the database's name and its grants",
        )
    if isinstance(error, _BUSY):
        return JournalBusy(f"{where} is busy: {said}", advice="try again")
    if isinstance(error, _FULL):
        return JournalFull(
            f"{where} has no room: {said}",
            advice="make room; the journal then continues by itself",
        )
    if isinstance(error, _READ_ONLY):
        return JournalReadOnly(
            f"{where} is read-only: {said}", advice="name the primary server, not a standby"
        )
    if isinstance(error, psycopg.OperationalError):
        return JournalUnreachable(
            f"{where} cannot be reached: {said}",
            advice="start it, or mend the network; the journal then continues by itself",
        )
    return JournalFailed(f"{where} failed: {said}", advice="see the log of the Postgres server")


def _is_refusal(said: str) -> bool:
    return "FATAL:" in said and any(words in said for words in _REFUSALS)
