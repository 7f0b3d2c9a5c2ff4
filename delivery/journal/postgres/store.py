"""What the statements of `sql/` do otherwise in Postgres: a fence, and fewer round trips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

import orjson
import psycopg

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.going_on import GoesOn
from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.events.nodes.notice import Notice
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.node import Node, NoticePage
from greenroom.delivery.journal.postgres.connection import PostgresDatabase, PostgresRows
from greenroom.delivery.journal.postgres.node_reads import (
    notice_write,
    read_lasts,
    read_nodes,
    read_notices,
)
from greenroom.delivery.journal.postgres.queue.tables import QUEUE
from greenroom.delivery.journal.postgres.tables import FENCED
from greenroom.delivery.journal.sql.database import SqlValue
from greenroom.delivery.journal.sql.log_ends import LogEnds
from greenroom.delivery.journal.sql.nodes.node_runs import NodeRuns, no_node
from greenroom.delivery.journal.sql.rows import Write
from greenroom.delivery.journal.sql.store import SqlStore

_FENCE: Final = "SELECT fence(?, ?, ?, ?, ?)"
_HOLD: Final = "SELECT hold(?)"
_ERASED: Final = "UPDATE log_end SET writer = NULL WHERE user = ?"


def _may_be_old(refused: psycopg.Error | OutOfSequence) -> bool:
    """Whether what was remembered of a log is refused, though the log ends where it was said to."""
    if isinstance(refused, OutOfSequence):
        return True
    if refused.sqlstate != FENCED:
        return False
    _, last, thought = orjson.loads(refused.diag.message_detail or "")
    return bool(last == thought)


class PostgresStore(SqlStore):
    """An `SqlStore` whose statements go to the server together, in one round trip a transaction.

    Other nodes append, too: each append says where it thinks that its users' logs end, and is
    refused as a whole if one of them has gone on (`fence` in `node_tables.py`).
    """

    def __init__(self, database: PostgresDatabase, me: Callable[[], int | None] = no_node) -> None:
        super().__init__(database)
        self.runs = NodeRuns(database, me)
        self._postgres = database
        self._me = me

    def append(self, entries: Sequence[Entry]) -> None:
        """What was remembered of the logs' ends may be old: then they are looked up."""
        remembers = any(entry.user in self._tails for entry in entries)
        try:
            self._append(entries)
        except (psycopg.Error, OutOfSequence) as refused:
            if not remembers or not _may_be_old(refused):
                raise
            self._append(entries)

    def erase_thread(self, user: UserId, thread: ThreadId, through: int) -> bool:
        self._database.execute(_ERASED, (user,))
        return super().erase_thread(user, thread, through)

    def lasts(self, users: Sequence[UserId]) -> Mapping[UserId, int]:
        return read_lasts(self._postgres, users)

    def nodes(self) -> list[Node]:
        return read_nodes(self._postgres)

    def notices(self, place: object, limit: int) -> NoticePage:
        return read_notices(self._postgres, self._me(), place, limit)

    def _append(self, entries: Sequence[Entry]) -> None:
        try:
            super().append(entries)
        except (psycopg.Error, OutOfSequence):
            self.forget_ends()
            raise

    def _writes(
        self, entries: Sequence[Entry], records: list[Record], ends: LogEnds
    ) -> list[Write]:
        writes = super()._writes(entries, records, ends)
        if queued := [each for each in entries if type(each) is GoesOn and each.queued]:
            writes.append((QUEUE, [(each.user, each.run) for each in queued]))
        if notices := [each for each in entries if type(each) is Notice]:
            writes.append(notice_write(self._me(), notices))
        return writes if records or not writes else [(_HOLD, [(self._me(),)]), *writes]

    def _record_writes(self, records: list[Record], ends: LogEnds) -> list[Write]:
        counts = Counter([record.user for record in records])
        users = sorted(counts)
        row = (
            self._me(),
            users,
            [self._tail(user)[0] for user in users],
            [counts[user] for user in users],
            [user in self._tails for user in users],
        )
        writes = super()._record_writes(records, ends)
        return [(_FENCE, [cast("tuple[str | int | bytes | None, ...]", row)]), *writes]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """An error shows at the end at the latest, when the answers to all statements are read."""
        connection = self._postgres.connection
        try:
            with _pipeline_of(connection):
                self._database.execute("BEGIN IMMEDIATE")
                yield
                self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                connection.rollback()  # which forgets what the failed pipeline did not prepare
            raise

    def _fetch(self, sql: str, *values: SqlValue) -> PostgresRows:
        return self._postgres.fetch(sql, values)


@contextmanager
def _pipeline_of(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """If a statement fails, so does the end of the pipeline; psycopg would log that as a warning,
    and a refused append is none."""
    pipeline = connection.pipeline()
    pipeline.__enter__()
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            pipeline.__exit__(None, None, None)
        raise
    pipeline.__exit__(None, None, None)
