"""A journal that is moved here from a file: until all of it is here, no server may have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
import psycopg

from greenroom.delivery.errors import JournalBusy, JournalFailed
from greenroom.delivery.journal.postgres.opening import MOVING, opening

_MOVED: Final = "moved"
_MARKS: Final = "SELECT name, value FROM meta WHERE name IN (%s, %s) FOR UPDATE"
_NODES: Final = "SELECT 1 FROM node WHERE expires > clock_timestamp() LIMIT 1"
_SET: Final = """
    INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_FORGET: Final = "DELETE FROM meta WHERE name = %s"
_NEXT: Final = "SELECT setval(pg_get_serial_sequence('{0}', 'number'), max(number)) FROM {0}"

Connection = psycopg.Connection[Any]


@attrs.frozen
class JournalMove:
    """The journal that is moved, by its epoch, and what errors call the database."""

    epoch: str
    where: str


def take_epoch(connection: Connection, epoch: str, where: str) -> None:
    """Raises `JournalBusy` if a server has the journal open: it would not know the new epoch."""
    if connection.execute(_NODES).fetchone():
        raise JournalBusy(
            f"a server has the journal open in {where}",
            advice="stop it first: an empty journal takes the epoch of what comes into it",
        )
    connection.execute(_SET, ("epoch", epoch))


def begin(connection: Connection, move: JournalMove, is_empty: Callable[[], bool]) -> bool:
    """Begin the move, or go on with it; False if it has ended. Raises `JournalFailed` if something
    else is here, and `JournalBusy` if a server is."""
    with opening(connection):
        marks = _marks(connection)
        if marks.get(MOVING) == move.epoch:
            return True
        if marks == {_MOVED: move.epoch}:
            return False
        if marks or not is_empty():
            raise JournalFailed(
                f"{move.where} has another journal",
                advice="move into an empty database; nothing was changed",
            )
        take_epoch(connection, move.epoch, move.where)
        connection.execute(_SET, (MOVING, move.epoch))
        return True


def check_begun(connection: Connection, move: JournalMove) -> None:
    """In each transaction of a move, which keeps others from the same. Raises `JournalFailed`."""
    if _marks(connection).get(MOVING) != move.epoch:
        raise JournalFailed(
            f"the move to {move.where} has ended meanwhile",
            advice="nothing: another `greenroom journal move` has done it",
        )


def end(connection: Connection, move: JournalMove, numbered: Iterable[str]) -> None:
    """Let servers have it. New rows of the `numbered` tables go on after those that are here."""
    for table in numbered:
        connection.execute(_NEXT.format(table).encode())
    connection.execute(_FORGET, (MOVING,))
    connection.execute(_SET, (_MOVED, move.epoch))


def _marks(connection: Connection) -> dict[str, str]:
    return dict(connection.execute(_MARKS, (MOVING, _MOVED)).fetchall())
