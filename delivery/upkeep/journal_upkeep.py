"""Shared by all upkeep of a closed journal: exclusive access, verified copies, the tables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from greenroom.delivery.errors import JournalCorrupt, JournalFailed
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.journal.private_files import belongs_with, create_private
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.errors import in_our_words
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from greenroom.delivery.journal.sqlite.place import SIDE_FILES, check_place
from greenroom.delivery.journal.sqlite.schema import catch_up
from greenroom.delivery.legacy.legacy_ids import is_mapped
from greenroom.delivery.upkeep.sql_tables import count_rows, tables

TellProgress: TypeAlias = Callable[[str, int, int], None]
"""Called with the current step, the amount done and the total amount (0: unknown)."""

EVERY: Final = 1_000  # rows between two reports of progress
_PAGES: Final = 1_000  # 4 MiB per step of a backup


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Ignore reports of progress."""


@contextmanager
def open_for_upkeep(path: Path) -> Iterator[SqliteFile]:
    """Open an existing journal for this process only; SQLite's errors become `JournalError`s.

    Raises `JournalBusy` if a server has it open, `JournalFailed` if it does not exist,
    `JournalCorrupt` for an empty file, and the errors of `open_file`.
    """
    if not path.is_file():
        raise JournalFailed(f"there is no journal at {path}")
    if not path.stat().st_size:  # checked before a lock is made beside it
        raise sqlite_schema.empty(str(path))
    with in_our_words(str(path)), closing(open_file(path, new_epoch=None)) as file:
        yield file


def backup_path(path: Path, now: datetime | None = None) -> Path:
    """`<journal>.backup-<UTC time>`, with a number added while that path exists."""
    moment = now or datetime.now(UTC)
    first = path.with_name(f"{path.name}.backup-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    number, free = 1, first
    while free.exists():
        number += 1
        free = first.with_name(f"{first.name}-{number}")
    return free


def backups(path: Path) -> list[Path]:
    """The journal's finished backups, newest first."""
    path = path.resolve()
    named = re.compile(re.escape(path.name) + r"\.backup-\d{8}T\d{6}Z(-\d+)?")
    found = [each for each in path.parent.iterdir() if named.fullmatch(each.name)]
    return sorted(found, key=lambda each: each.stat().st_mtime_ns, reverse=True)


def back_up(file: SqliteFile, progress: TellProgress, now: datetime | None = None) -> Path:
    """Make a verified copy beside the journal, and return its path.

    If the journal still equals the newest backup, that backup is returned: upkeep that is repeated
    after an interruption needs no second one. Remains of interrupted copies are removed, since no
    other process can be copying a locked journal.
    """
    journal = Path(file.path)
    _forget_parts(journal)
    for last in backups(journal)[:1]:
        if _is_copy(file.database, last, progress):
            return last
    path = backup_path(journal, now)
    with copied(file, path, progress):
        pass
    return path


@contextmanager
def copied(file: SqliteFile, to: Path, progress: TellProgress) -> Iterator[apsw.Connection]:
    """A copy of the journal to work on, as `copied_from` makes it."""
    with copied_from(file.database, Path(file.path), to, progress) as copy:
        yield copy


@contextmanager
def copied_from(
    source: apsw.Connection, journal: Path, to: Path, progress: TellProgress
) -> Iterator[apsw.Connection]:
    """A copy of the journal, verified row by row, to work on: it becomes `to` at the block's end.

    Nothing may write through `source` or, unless it is in a transaction, beside it.

    Only its owner can read it, and that is the journal's owner even if root makes the copy. Until
    the end of the block it is `<to>.part`, which is removed if the block fails and overwritten if
    a killed process left it. Raises `JournalFailed` if `to` exists or its directory does not,
    `JournalCorrupt` if the journal is damaged.
    """
    if to.exists():
        raise JournalFailed(f"{to} exists already", advice="name a file that does not exist")
    check_place(to)
    part = to.with_name(to.name + ".part")
    _forget(part)
    with in_our_words(str(to)), ExitStack() as undo:
        undo.callback(_forget, part)
        create_private(part).close()
        belongs_with(part, journal.stat())
        with closing(apsw.Connection(str(part))) as copy:
            _copy(source, copy, progress)
            _verify(source, copy, progress)
            yield copy
        part.replace(to)
        sync_directory(to.parent)


def sync_directory(directory: Path) -> None:
    """Make a renaming durable (fsync(2): the directory needs an fsync of its own)."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def damages(database: apsw.Connection) -> list[str]:
    """The complaints of `PRAGMA integrity_check`; empty if the file is sound."""
    lines = [str(line) for (line,) in database.execute("PRAGMA integrity_check(100)")]
    return [] if lines == ["ok"] else lines


def _copy(source: apsw.Connection, copy: apsw.Connection, progress: TellProgress) -> None:
    with copy.backup("main", source, "main") as backup:
        while not backup.done:
            backup.step(_PAGES)
            progress("copying", backup.page_count - backup.remaining, backup.page_count)


def _verify(source: apsw.Connection, copy: apsw.Connection, progress: TellProgress) -> None:
    """Raise `JournalCorrupt` unless the copy is sound and has every row unchanged."""
    if found := damages(copy):
        raise JournalCorrupt(
            f"{source.filename} is damaged: {found[0]}",
            advice="keep the file; restore a backup, or rescue rows with `sqlite3 .recover`",
        )
    if (table := _differing(source, copy, "verifying the copy", progress)) is not None:
        raise JournalCorrupt(
            f"the copy of {source.filename} differs from it in {table}",
            advice="check the disk, then try again",
        )


def _is_copy(source: apsw.Connection, path: Path, progress: TellProgress) -> bool:
    """Whether the file is a sound copy of a sound journal as it is now."""
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as copy:
            return (
                count_rows(copy) == count_rows(source)
                and _differing(source, copy, "looking at the last backup", progress) is None
                and not damages(copy)
                and not damages(source)
            )
    except apsw.Error:  # not a journal, or not readable: then not a copy either
        return False


def _differing(
    source: apsw.Connection, copy: apsw.Connection, what: str, progress: TellProgress
) -> str | None:
    """A table, possibly `meta`, whose rows differ between the two; None if all are equal."""
    done, total = 0, count_rows(source)
    for table in ("meta", *(table.name for table in tables(source))):
        query = f'SELECT * FROM "{table}"'
        for row, same in zip_longest(source.execute(query), copy.execute(query)):
            if row != same:
                return table
            done += table != "meta"
            if done % EVERY == 0 or done == total:
                progress(what, done, total)
    return None


def _forget_parts(journal: Path) -> None:
    """Remove the remains of killed copies: `<backup>.part` and SQLite's files beside it."""
    part = re.compile(re.escape(journal.name) + r"\.backup-.+\.part")
    for each in list(journal.parent.iterdir()):
        if part.fullmatch(each.name):
            _forget(each)


def _forget(path: Path) -> None:
    for suffix in ("", *SIDE_FILES):
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")


_SETTLE_MAPPED: Final = """
    INSERT INTO settled (user, class, through)
    SELECT log.user, classes.class, max(log."offset")
    FROM log, (SELECT 'critical' AS class UNION SELECT 'progress') AS classes
    WHERE is_mapped(log.run)
    GROUP BY log.user, classes.class
    ON CONFLICT (user, class) DO UPDATE SET through = max(through, excluded.through)
"""


def settle_mapped(database: apsw.Connection) -> None:
    """Settle the events that an older system accepted: delivering them was its task, so they must
    not become dead letters now."""
    database.create_scalar_function("is_mapped", _is_mapped, 1)
    database.execute(_SETTLE_MAPPED)
    catch_up(database)


def _is_mapped(*arguments: apsw.SQLiteValue) -> bool:
    return is_mapped(RunId.trusted(str(arguments[0])))
