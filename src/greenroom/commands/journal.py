"""`greenroom journal`: backups of a journal, and upkeep of one that no server has open."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.filesize import decimal

from greenroom.actors.text.escaping import one_line
from greenroom.commands.events import existing_journal, journal_file
from greenroom.commands.options import BadOptions, Flag, Kept, Limit
from greenroom.commands.output.ages import Age, seconds_of
from greenroom.commands.output.journal_files import lines_of, written
from greenroom.commands.output.printing import counted
from greenroom.commands.output.progress import progress_bar
from greenroom.delivery.errors import JournalError
from greenroom.delivery.journal.sqlite.moved import moved_to, take_back
from greenroom.delivery.upkeep.journal_backup import back_up_online
from greenroom.delivery.upkeep.journal_compaction import compact
from greenroom.delivery.upkeep.journal_migration import migrate
from greenroom.delivery.upkeep.journal_upkeep import backups, open_for_upkeep
from greenroom.delivery.upkeep.whole_journal import WholeFile, WholeJournal
from greenroom.journal_opening import without_coredis, without_psycopg
from greenroom.settings import BadSettings, Settings
from greenroom.settings.database_url import DatabaseUrl

Lines = Annotated[Path, Parameter(allow_leading_hyphen=True)]

journal = App(
    name="journal",
    help="Back up, check, migrate, compact, export, import or move a journal.",
    help_format="plaintext",
)


WHOLE_OR_NOT = "the journal is changed as a whole or not at all: run the command again"
USER_BY_USER = "old events of some users may be forgotten, of others not yet: run the command again"
COPIED_SO_FAR = "what was copied stays: run the command again"
NOTHING_WRITTEN = "no file was written"


class Flawed(JournalError):
    """The journal has flaws."""


@journal.command(name="backup")
def back_up_to(file: Path, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Copy a journal to a new file and compare the two. A server may be writing it meanwhile.

    Parameters
    ----------
    file
        The file to write, which must not exist. Only the journal's owner can read it.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path = existing_journal(Settings.load(config, journal=journal))
    with _interruptible(NOTHING_WRITTEN), progress_bar() as progress:
        done = back_up_online(path, file, progress)
    print(f"{counted(done.rows, 'row')} backed up to {file}, {decimal(done.size)}")


@journal.command(name="check")
def check_journal(
    *,
    limit: Limit = 100,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Look for everything that can be wrong in a journal; the exit code is 1 if something is.

    Parameters
    ----------
    limit
        Print at most this number of flaws; all are counted.
    journal
        The journal's file (greenroom.db), which no server may have open, or the URL of one in
        Postgres or Redis.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings, flaws = Settings.load(config, journal=journal), 0
    with progress_bar() as progress:
        for flaw in _existing(settings).flaws(progress):
            flaws += 1
            if flaws <= limit:
                print(one_line(flaw))
    sys.stdout.flush()
    if flaws:
        raise Flawed(f"{settings.journal} has {counted(flaws, 'flaw')}")
    print(f"{settings.journal} is sound")


@journal.command(name="migrate")
def migrate_journal(
    *, to: Path | None = None, journal: Path | None = None, config: Path | None = None
) -> None:
    """Give the ids of older systems in a journal new ones, after a backup.

    If it is interrupted, the journal is changed as a whole or not at all: run it again.

    Parameters
    ----------
    to
        Write a migrated copy to this file, and leave the journal unchanged.
    journal
        The journal's file (greenroom.db). No server may have it open.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path = existing_journal(Settings.load(config, journal=journal))
    with _interruptible(WHOLE_OR_NOT), progress_bar() as progress:
        done = migrate(path, to=to, progress=progress)
    if not done.rows:
        return print(f"{path} has no legacy ids: nothing to do")
    for table, rows in done.rows.items():
        print(f"{table}: {counted(rows, 'row')} with new ids")
    return _tell_backups(path, done.backup)


@journal.command(name="compact")
def compact_journal(
    *,
    older_than: Age | None = None,
    keep: Kept | None = None,
    to: Path | None = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Forget old events and give free space back to the file system, after a backup.

    With both --older-than and --keep, an event is forgotten if it is old and not one of the last.

    Parameters
    ----------
    older_than
        Forget events of at least this age, and sessions not seen since: 90d, 12w, 36h, 30m, 10s.
    keep
        Keep at least this number of each user's last events.
    to
        Write a compacted copy to this file, and leave the journal unchanged.
    journal
        The journal's file (greenroom.db). No server may have it open.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path = existing_journal(Settings.load(config, journal=journal))
    before_ms = (
        None
        if older_than is None
        else int(time.time() * 1000) - 1000 * seconds_of("--older-than", older_than)
    )
    with _interruptible(USER_BY_USER if to is None else WHOLE_OR_NOT), progress_bar() as progress:
        done = compact(path, before_ms=before_ms, keep=keep, to=to, progress=progress)
    print(f"{counted(done.forgotten, 'event')} forgotten")
    if done.sessions:
        print(f"{counted(done.sessions, 'session')} forgotten")
    print(f"{decimal(done.before)} before, {decimal(done.after)} after")
    _tell_backups(path, done.backup)


@journal.command(name="export")
def export_to(file: Lines, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Write a journal as JSON Lines.

    Parameters
    ----------
    file
        The file to write; - is standard output, and a name that ends in .gz is compressed.
    journal
        The journal's file (greenroom.db), which no server may have open, or the URL of one in
        Postgres or Redis.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whole = _existing(Settings.load(config, journal=journal))
    with _interruptible(NOTHING_WRITTEN), progress_bar() as progress, written(file) as target:
        rows = whole.export_to(target.write, progress)
    print(f"{counted(rows, 'row')} exported", file=sys.stderr)


@journal.command(name="import")
def import_from(file: Lines, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Import what `export` wrote into a journal: all of it, or nothing if something is wrong.

    A journal that does not exist is created, with the export's epoch.

    One that exists must have none of the export's users. Ids of older systems become new ones.

    Parameters
    ----------
    file
        The file to read; - is standard input, and a name that ends in .gz is decompressed.
    journal
        The journal's file (greenroom.db), which no server may have open, or the URL of one in
        Postgres or Redis.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings = Settings.load(config, journal=journal)
    if settings.in_memory:
        raise BadSettings(
            ["`journal` must be a file, not :memory:, which is gone when this command ends"],
            advice="name the file with --journal",
        )
    whole = _whole(settings.journal)
    with _interruptible(WHOLE_OR_NOT), progress_bar() as progress, lines_of(file) as lines:
        done = whole.import_from(lines, progress)
    print(f"{counted(done.rows, 'row')} imported")
    if done.backup:
        _tell_backups(journal_file(settings), done.backup)


@journal.command(name="move")
def move_to(
    to: str | None = None,
    /,
    *,
    back: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Move a journal's file to Postgres: copy what is new, as often as you like.

    A server may be writing the file meanwhile. Once it is stopped, the same command copies the
    rest, compares the two, and ends the move. Until then no server can start on the copy, and
    from then on none on the file.

    Parameters
    ----------
    to
        The URL of the journal in Postgres, which must be empty, or begun by this command.
    back
        Let servers use the file again, as it was when it was moved. Nothing is copied.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path = existing_journal(Settings.load(config, journal=journal))
    if back:
        return _take_back(path, to)
    target = _database(to or "")
    with _needing_psycopg(target):
        from greenroom.delivery.upkeep.postgres.moving import move
    with _interruptible(COPIED_SO_FAR), progress_bar() as progress:
        done = move(path, target.url, progress)
    if done is None:
        return print(f"{path} was moved to {target} before: nothing was changed")
    print(f"{counted(done.rows, 'row')} copied to {target}")
    if done.open_in:
        return print(f"{done.open_in}: stop it, and repeat this command to end the move")
    return print(f"{counted(done.compared, 'row')} compared: start servers with --journal {target}")


def _take_back(path: Path, to: str | None) -> None:
    """Raises `BadOptions`."""
    if to is not None:
        raise BadOptions("--back takes no URL", advice="nothing is copied from there")
    with open_for_upkeep(path) as file:
        place = moved_to(file.database)
        take_back(file.database)
    said = "was not moved" if place is None else f"is what it was when it was moved to {place}"
    print(f"{path} {said}: servers may use it")


def _database(to: str) -> DatabaseUrl:
    """Raises `BadSettings`."""
    if (found := DatabaseUrl.of(to)) is not None and found.is_in_redis:
        raise BadSettings(
            [f"a journal moves to Postgres, not to {found}"],
            advice=f"run `greenroom journal export FILE`, then `import FILE --journal {found}`",
        )
    if found is None:
        raise BadSettings(
            ["a journal moves to a database in Postgres"],
            advice="write it as postgresql://user@host:5432/database",
        )
    return found


def _existing(settings: Settings) -> WholeJournal:
    """Raises `BadSettings` where there is none."""
    if not isinstance(settings.journal, DatabaseUrl):
        existing_journal(settings)
    return _whole(settings.journal)


def _whole(journal: Path | DatabaseUrl) -> WholeJournal:
    if isinstance(journal, Path):
        return WholeFile(journal)
    if journal.is_in_redis:
        return _whole_in_redis(journal)
    with _needing_psycopg(journal):
        from greenroom.delivery.upkeep.postgres.whole_postgres import WholePostgres
    return WholePostgres(journal.url)


def _whole_in_redis(journal: DatabaseUrl) -> WholeJournal:
    try:
        from greenroom.delivery.upkeep.redis.whole_redis import WholeRedis
    except ImportError as error:
        raise without_coredis(journal) from error
    return WholeRedis(journal.url)


@contextmanager
def _needing_psycopg(journal: DatabaseUrl) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise without_psycopg(journal) from error


@contextmanager
def _interruptible(outcome: str) -> Iterator[None]:
    """At Ctrl-C, say in what state the journal is."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"greenroom: interrupted: {outcome}", file=sys.stderr)
        raise


def _tell_backups(path: Path, backup: Path | None) -> None:
    """Print where the unchanged journal is, and which older backups take up room."""
    print(f"unchanged copy: {backup or path}")
    for other in backups(path) if backup else ():
        if other != backup:
            print(f"an older backup: {other} ({decimal(other.stat().st_size)})")
