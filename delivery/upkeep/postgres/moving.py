"""Moves a journal from a file to Postgres: beside its server, and at last in its place.

Each call copies what is new in the file, a group of users after the other, each group in one
transaction of both databases. So it can break off at any point, and be called again. It ends the
move when no server has the file open: then the two are compared, and a server of the target may
start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Final, cast

import apsw
import attrs

from greenroom.delivery.errors import JournalBusy, JournalCorrupt
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.postgres.errors import in_our_words
from greenroom.delivery.journal.postgres.opening import connect, named, prepare
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.tables.users import SqlUsers
from greenroom.delivery.journal.sqlite.moved import mark_as_moved
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.journal.sqlite.schema import epoch_of
from greenroom.delivery.upkeep.journal_upkeep import TellProgress, no_progress, open_for_upkeep
from greenroom.delivery.upkeep.postgres.copied_logs import ALL, UserRange, changed_logs, log_ends
from greenroom.delivery.upkeep.postgres.copied_tables import (
    CopiedTable,
    as_kept,
    copied_tables,
    mend,
    with_digests,
)
from greenroom.delivery.upkeep.postgres.moves import JournalMove, begin, check_begun, end
from greenroom.delivery.upkeep.sql_tables import count_rows

GROUP: Final = 500
"""UserRange that are copied in one transaction. Memory grows with their rows,
without the bodies."""

_OF_NO_USER: Final = "crash"
_ALL_ROWS: Final = "1 = 1"
_OF_LOG: Final = 'user = ?1 AND "offset" > ?2'
_END: Final = """
    INSERT INTO log_end (user, last) SELECT user, max(last) FROM (
        SELECT user, "offset" AS last FROM log WHERE {0}
        UNION ALL SELECT user, through FROM trimmed WHERE {0}) AS ends
    GROUP BY user
    ON CONFLICT (user) DO UPDATE SET last = excluded.last WHERE log_end.last != excluded.last
"""
_NO_END: Final = """
    DELETE FROM log_end WHERE {0} AND user NOT IN (
        SELECT user FROM log WHERE {0} UNION SELECT user FROM trimmed WHERE {0})
"""

Look = Callable[[], AbstractContextManager[apsw.Connection]]


@attrs.frozen
class Moved:
    """`rows`: written or deleted in this call. `compared`: in both, once the move is over.
    `open_in`: who has the file open, so that it is not over."""

    rows: int
    compared: int = 0
    open_in: str = ""


def move(
    path: Path, url: str, progress: TellProgress = no_progress, *, group: int = GROUP
) -> Moved | None:
    """Copy what is new, and end the move unless a server has the file open. None if it had ended
    before. The target must be empty, or be what an earlier call began from the same journal.

    Raises `JournalFailed` for another target, `JournalBusy` while a server has the target open,
    `JournalCorrupt` if the two differ at the end, and the errors of `JournalReader`.
    """
    with ExitStack() as stack:
        look, open_in = _opened(path, stack)
        return _round(look, url, progress, group, open_in)


def _opened(path: Path, stack: ExitStack) -> tuple[Look, str]:
    """How to look into the file, which no other process may open until the end of the stack. If
    one has it open, who that is."""
    try:
        file = stack.enter_context(open_for_upkeep(path))
    except JournalBusy as busy:
        return JournalReader(path).look, busy.message
    return partial(_open_already, file.database), ""


@contextmanager
def _open_already(database: apsw.Connection) -> Iterator[apsw.Connection]:
    yield database


def _round(look: Look, url: str, progress: TellProgress, group: int, open_in: str) -> Moved | None:
    where = named(url)
    with look() as source:
        epoch = epoch_of(source)
    with in_our_words(where), closing(connect(url)) as connection:
        prepare(connection, epoch)
        target = PostgresDatabase(connection)
        if not begin(connection, JournalMove(epoch, where), lambda: count_rows(target) == 0):
            return None
        with look() as source:
            tables = copied_tables(source, target)
        copy = _Copy(look, target, JournalMove(epoch, where), tables, progress, group)
        copy.all_users()
        return Moved(copy.rows, 0 if open_in else copy.finish(), open_in)


@attrs.define
class _Copy:
    """One round from the file to Postgres."""

    look: Look
    target: PostgresDatabase
    move: JournalMove
    tables: list[CopiedTable]
    progress: TellProgress
    group: int
    rows: int = 0

    def all_users(self) -> None:
        for users in self._groups():
            with self.look() as source, with_digests(source), self.target:
                check_begun(self.target.connection, self.move)
                self._copy(source, users)
            self.progress("copying", self.rows, 0)

    def finish(self) -> int:
        """Compare, mark the file, and let servers start. Returns the number of rows. A call that
        breaks off in between leaves no place where a server starts; the next one ends the move."""
        with self.look() as source, self.target:
            check_begun(self.target.connection, self.move)
            with source:
                rows = self._compare(source)
                mark_as_moved(source, self.move.where)
            numbered = [each.name for each in self.tables if each.key == ("number",)]
            end(self.target.connection, self.move, numbered)
        self.target.execute("ANALYZE")
        return rows

    def _groups(self) -> Iterator[UserRange]:
        after = ""
        while True:
            with self.look() as source:
                found = SqlUsers(source).page(
                    "", UserId.trusted(after) if after else None, self.group
                )
            if len(found) < self.group:
                return (yield UserRange(after))
            yield UserRange(after, found[-1])
            after = found[-1]

    def _copy(self, source: apsw.Connection, users: UserRange) -> None:
        log, *others = self.tables
        for user, after in changed_logs(source, self.target, users):
            self.rows += mend(source, self.target, log, _OF_LOG, user, after)
        for table in others:
            if table.name != _OF_NO_USER:
                self.rows += mend(source, self.target, table, users.where, *users.values)
            elif users.upto is None:  # the last group
                self.rows += mend(source, self.target, table, _ALL_ROWS)
        for sql in (_NO_END, _END):
            self.target.execute(sql.format(users.where), users.values)

    def _compare(self, source: apsw.Connection) -> int:
        """Raises `JournalCorrupt`."""
        self.progress("comparing", 0, 0)
        rows = 0
        for table in self.tables:
            mine, theirs = (_count(each, table) for each in (source, self.target))
            if mine != theirs:
                raise _differ(f"{table.name} has {mine} rows in the file, and {theirs} in Postgres")
            rows += mine
        for here, there in zip_longest(log_ends(source, ALL), log_ends(self.target, ALL)):
            if here is None or as_kept(here) != there:
                raise _differ(f"a log ends at {here} in the file, and at {there} in Postgres")
        return rows


def _count(database: Database, table: CopiedTable) -> int:
    return cast(int, database.execute(f'SELECT count(*) FROM "{table.name}"').get)


def _differ(how: str) -> JournalCorrupt:
    return JournalCorrupt(
        f"the copy is not the same: {how}",
        advice="run `greenroom journal check` on the file, then move again",
    )
