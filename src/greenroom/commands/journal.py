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
from greenroom.commands.events import existing_journal
from greenroom.commands.options import Kept, Limit
from greenroom.commands.output.ages import Age, seconds_of
from greenroom.commands.output.journal_files import lines_of, written
from greenroom.commands.output.progress import progress_bar
from greenroom.delivery.errors import JournalError
from greenroom.delivery.upkeep.journal_backup import back_up_online
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_compaction import compact
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.delivery.upkeep.journal_migration import migrate
from greenroom.delivery.upkeep.journal_upkeep import backups, open_for_upkeep
from greenroom.settings import BadSettings, Settings

Lines = Annotated[Path, Parameter(allow_leading_hyphen=True)]

journal = App(
    name="journal",
    help="Back up, check, migrate, compact, export, import a journal.",
    help_format="plaintext",
)


WHOLE_OR_NOT = "it happens as a whole, at the end, or not at all: just start it again"
USER_BY_USER = "some users' old events may be forgotten, others' not yet: just start it again"
NOTHING_WRITTEN = "no file was written"


class Flawed(JournalError):
    """A journal does not hold what it promises."""


@journal.command(name="backup")
def back_up_to(file: Path, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Copy a journal to a new file and compare the two. A server may be writing it meanwhile.

    Parameters
    ----------
    file
        Where to; it must not exist. Only the journal's owner can read it.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path = existing_journal(Settings.load(config, journal=journal))
    with _interruptible(NOTHING_WRITTEN), progress_bar() as progress:
        done = back_up_online(path, file, progress)
    print(f"{_counted(done.rows, 'row')} backed up to {file}, {decimal(done.size)}")


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
        The journal's file (greenroom.db). No server may have it open.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path, flaws = existing_journal(Settings.load(config, journal=journal)), 0
    with progress_bar() as progress, open_for_upkeep(path) as file:
        for flaw in check(file.database, progress):
            flaws += 1
            if flaws <= limit:
                print(one_line(flaw))
    sys.stdout.flush()
    if flaws:
        raise Flawed(f"{path} has {_counted(flaws, 'flaw')}")
    print(f"{path} is sound")


@journal.command(name="migrate")
def migrate_journal(
    *, to: Path | None = None, journal: Path | None = None, config: Path | None = None
) -> None:
    """Give the ids of older systems in a journal new ones, after a backup.

    Interrupted at any moment, it has happened or it has not: just start it again.

    Parameters
    ----------
    to
        Make a migrated copy there, and leave the journal as it is.
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
        print(f"{table}: {_counted(rows, 'row')} with new ids")
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

    With --older-than and --keep an event must be old and none of the last ones to be forgotten.

    Parameters
    ----------
    older_than
        Forget events of at least this age: 90d, 12w, 36h, 30m, 10s.
    keep
        Keep at least this number of each user's last events.
    to
        Make a compacted copy there, and leave the journal as it is.
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
    print(f"{_counted(done.forgotten, 'event')} forgotten")
    print(f"{decimal(done.before)} before, {decimal(done.after)} after")
    _tell_backups(path, done.backup)


@journal.command(name="export")
def export_to(file: Lines, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Write a journal as JSON Lines.

    Parameters
    ----------
    file
        Where to; - is the standard output, a name that ends with .gz is packed.
    journal
        The journal's file (greenroom.db). No server may have it open.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path = existing_journal(Settings.load(config, journal=journal))
    with _interruptible(NOTHING_WRITTEN), progress_bar() as progress, written(file) as target:
        rows = export_journal(path, target.write, progress=progress)
    print(f"{_counted(rows, 'row')} exported", file=sys.stderr)


@journal.command(name="import")
def import_from(file: Lines, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Read what `export` wrote into a journal: all of it, or nothing where something is wrong.

    A journal that is not there is made, with the export's epoch.

    One that is there must not have any of its users. Ids of older systems become new ones.

    Parameters
    ----------
    file
        Where from; - is the standard input, a name that ends with .gz is packed.
    journal
        The journal's file (greenroom.db). No server may have it open.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings = Settings.load(config, journal=journal)
    if settings.in_memory:
        raise BadSettings(["a journal in memory is gone when this command ends"])
    with _interruptible(WHOLE_OR_NOT), progress_bar() as progress, lines_of(file) as lines:
        done = import_journal(settings.journal, lines, progress=progress)
    print(f"{_counted(done.rows, 'row')} imported")
    if done.backup:
        _tell_backups(settings.journal, done.backup)


@contextmanager
def _interruptible(told: str) -> Iterator[None]:
    """Say at Ctrl-C what has become of the journal."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"greenroom: interrupted: {told}", file=sys.stderr)
        raise


def _tell_backups(path: Path, backup: Path | None) -> None:
    """Where the journal as it was is, and what else of it takes up room."""
    print(f"as it was: {backup or path}")
    for other in backups(path) if backup else ():
        if other != backup:
            print(f"an older backup: {other} ({decimal(other.stat().st_size)})")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
