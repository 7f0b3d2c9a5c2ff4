"""The tables of an SQLite journal, and how a journal file is recognised."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Final

import apsw

from greenroom.delivery.errors import JournalCorrupt, JournalTooNew
from greenroom.delivery.journal.sql.database import has_table
from greenroom.delivery.journal.sql.tables.threads import add_threads
from greenroom.delivery.journal.sql.tables.unsettled import pass_by
from greenroom.delivery.journal.sqlite.later_tables import LATER, THREADS

APPLICATION_ID: Final = 0x67726E72  # "grnr", https://sqlite.org/pragma.html#pragma_application_id
VERSION: Final = 1

# https://sqlite.org/fileformat2.html#the_database_header: the magic string, and big-endian the
# schema's cookie at 40 (0: never had a table), user_version at 60, application_id at 68
HEADER_BYTES: Final = 100
_HEADER: Final = struct.Struct(">16s24xi16xi4xi28x")
_MAGIC: Final = b"SQLite format 3\0"

INCREMENTAL: Final = 2
"""The `auto_vacuum` of a new journal: free pages are given back when asked for, a few at a time
(https://sqlite.org/pragma.html#pragma_auto_vacuum). It must be set before there is any table."""

# AUTOINCREMENT: a number is never assigned twice, so a follower of the log misses nothing after a
# trim. It costs about 0.6 µs a record.
#
# `span` holds where a user's log changes from one thread to another: a row per change instead
# of a (user, thread, offset) index entry per record, which would cost 4 µs a record.
# A span reaches to the user's next one.
TABLES: Final = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    class TEXT NOT NULL,
    thread TEXT NOT NULL,
    run TEXT NOT NULL,
    parent TEXT,
    request TEXT NOT NULL,
    at INTEGER NOT NULL,
    say TEXT,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_user_offset ON log (user, "offset");
CREATE INDEX log_id ON log (id);  -- ids sort by birth, so it grows at its end: 0.7 µs a record
CREATE INDEX log_user_say ON log (user, say) WHERE say IS NOT NULL;

CREATE TABLE span (
    user TEXT NOT NULL,
    first INTEGER NOT NULL,
    thread TEXT NOT NULL,
    PRIMARY KEY (user, first)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX span_user_thread ON span (user, thread, first);

CREATE TABLE open_run (
    number INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    run TEXT NOT NULL,
    thread TEXT NOT NULL,
    parent TEXT,
    request TEXT NOT NULL,
    UNIQUE (user, run)
) STRICT;

CREATE TABLE trimmed (
    user TEXT PRIMARY KEY,
    through INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
    user TEXT NOT NULL,
    session TEXT NOT NULL,
    start INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (user, session)
) STRICT, WITHOUT ROWID;

CREATE TABLE mark (
    user TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    session TEXT NOT NULL,
    stage TEXT NOT NULL,
    verdict TEXT NOT NULL,
    note TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (user, "offset", session, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    number INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    session TEXT NOT NULL,
    connection TEXT NOT NULL,
    after INTEGER NOT NULL,
    through INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX attempt_user ON attempt (user, through);

CREATE TABLE dead_letter (
    event TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    attempts TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letter_user ON dead_letter (user, event);

CREATE TABLE settled (
    user TEXT NOT NULL,
    class TEXT NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (user, class)
) STRICT, WITHOUT ROWID;
"""

# Derived from the other tables, so exports omit it. A trigger ensures that no event is missing,
# even if an import or an older greenroom appends it. Code here that settles or trims events also
# passes them by in this table; `catch_up` does so for events that other programs settled or
# trimmed. The first event past the settled ones may be of another class: finding the next of the
# class would mean walking through all events in between.
#
# Short, since the schema is read whenever a journal is opened: this way it fits on the first page.
DERIVED: Final = ("unsettled",)
_UNSETTLED: Final = """
CREATE TABLE unsettled (
 user TEXT NOT NULL,
 class TEXT NOT NULL,
 number INTEGER NOT NULL,
 "offset" INTEGER NOT NULL,
 at INTEGER NOT NULL,
 PRIMARY KEY (user, class)
) STRICT, WITHOUT ROWID;
CREATE INDEX unsettled_at ON unsettled (class, at, user);
CREATE TRIGGER unsettled_begins AFTER INSERT ON log WHEN NOT EXISTS (
 SELECT 1 FROM unsettled WHERE user = new.user AND class = new.class)
BEGIN INSERT INTO unsettled VALUES (new.user, new.class, new.number, new."offset", new.at); END;
"""
_FIRST_OF_EACH: Final = """
WITH RECURSIVE users (user) AS (
    SELECT min(user) FROM log
    UNION ALL SELECT (SELECT min(user) FROM log WHERE log.user > users.user)
    FROM users WHERE users.user IS NOT NULL)
INSERT INTO unsettled
SELECT log.user, classes.class, log.number, log."offset", log.at
FROM users CROSS JOIN (SELECT 'critical' AS class UNION SELECT 'progress') AS classes
CROSS JOIN log ON log.user = users.user AND log."offset" = (
    SELECT min("offset") FROM log AS next WHERE next.user = users.user);
"""
_SETTLED: Final = """
    SELECT unsettled.user, unsettled.class, settled.through
    FROM unsettled JOIN settled USING (user, class) WHERE unsettled."offset" <= settled.through
    UNION ALL SELECT unsettled.user, unsettled.class, trimmed.through
    FROM unsettled JOIN trimmed USING (user) WHERE unsettled."offset" <= trimmed.through
"""


def catch_up(database: apsw.Connection) -> None:
    """Pass by the events that other programs settled or trimmed."""
    for user, event_class, through in database.execute(_SETTLED).fetchall():
        pass_by(database, str(user), str(event_class), int(str(through)))


def is_new(database: apsw.Connection) -> bool:
    """Whether the database is empty, and not yet a journal.

    Raises `JournalCorrupt` for another program's database, `JournalTooNew`.
    """
    if not database.pragma("schema_version"):
        return True
    application, version = database.pragma("application_id"), database.pragma("user_version")
    _check(database.filename, application, version)
    return False


def empty(path: str) -> JournalCorrupt:
    """The error for an empty file where a journal is expected."""
    return JournalCorrupt(
        f"{path} is empty, not a journal",
        advice="name another file with --journal, or start a server to make this one a journal",
    )


def check_header(path: str, header: bytes) -> None:
    """Check a file by its first `HEADER_BYTES` bytes; safe while a server writes the file.

    The examined fields never change in a journal's life, while in the middle of a checkpoint the
    pages that follow may be ahead or behind. Raises `apsw.NotADBError` for a file that is not a
    database, and the errors of `is_new`.
    """
    if not header:
        return
    if len(header) < HEADER_BYTES or not header.startswith(_MAGIC):
        raise apsw.NotADBError("file is not a database")
    _, cookie, version, application = _HEADER.unpack(header)
    if cookie:
        _check(path, application, version)


def _check(path: str, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise JournalCorrupt(
            f"{path} is an SQLite database, but not a journal",
            advice="give the journal a path of its own",
        )
    if version > VERSION:
        raise JournalTooNew(
            f"{path} has schema version {version}, but this greenroom reads up to {VERSION}",
            advice="use the version of greenroom that wrote it, or a newer one",
        )


def complete(database: apsw.Connection) -> None:
    """Add what a journal of an older version lacks, in one transaction.

    A damaged journal is left as it is; the first call that meets the damage raises the error.
    """
    with suppress(apsw.CorruptError), database:
        if not has_table(database, "unsettled"):
            database.execute(_UNSETTLED)
            database.execute(_FIRST_OF_EACH)
        for name, sql in LATER.items():
            if not has_table(database, name):
                database.execute(sql)
        if not has_table(database, "thread"):
            database.execute(THREADS)
            add_threads(database)
        catch_up(database)


def create(database: apsw.Connection, epoch: str) -> None:
    """Create the tables and store the epoch, in one transaction."""
    with database:
        database.execute(TABLES)
        database.execute(_UNSETTLED)
        for sql in LATER.values():
            database.execute(sql)
        database.execute(THREADS)
        database.execute("INSERT INTO meta VALUES ('epoch', ?)", (epoch,))
        database.pragma("application_id", APPLICATION_ID)
        database.pragma("user_version", VERSION)


def epoch_of(database: apsw.Connection) -> str:
    """The journal's epoch. Raises `JournalCorrupt` if it has none."""
    for (epoch,) in database.execute("SELECT value FROM meta WHERE name = 'epoch'"):
        return str(epoch)
    raise JournalCorrupt(f"{database.filename} has no epoch", advice="restore a backup")
