"""The tables that came after a journal's first version."""

from __future__ import annotations

from typing import Final

from greenroom.delivery.events.threads import ERASED_THREAD

_BAN: Final = """
CREATE TABLE ban (
 user TEXT PRIMARY KEY,
 until INTEGER NOT NULL,
 at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

# A part goes with its file, and a file with its run, even if an older greenroom erases that. `run`
# is NULL until the file's message is kept.
_FILES: Final = """
CREATE TABLE file (
 user TEXT NOT NULL,
 file TEXT NOT NULL,
 run TEXT,
 received INTEGER NOT NULL,
 at INTEGER NOT NULL,
 PRIMARY KEY (user, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_run ON file (user, run);
CREATE INDEX file_at ON file (at) WHERE run IS NULL;
CREATE TABLE file_part (
 user TEXT NOT NULL,
 file TEXT NOT NULL,
 start INTEGER NOT NULL,
 data BLOB NOT NULL,
 PRIMARY KEY (user, file, start)
) STRICT;
CREATE TRIGGER file_goes AFTER DELETE ON file BEGIN
 DELETE FROM file_part WHERE user = old.user AND file = old.file;
END;
"""

# `recent` is where the thread's newest span begins, so the list is in the order of use although a
# row changes only where a span or a run begins: an event costs nothing here.
#
# Triggers keep the rows, even if an import or an older greenroom appends or trims.
_THREADS: Final = f"""
CREATE TABLE thread (
 user TEXT NOT NULL,
 thread TEXT NOT NULL,
 title TEXT,
 archived INTEGER NOT NULL,
 created INTEGER NOT NULL,
 runs INTEGER NOT NULL,
 recent INTEGER NOT NULL,
 PRIMARY KEY (user, thread)
) STRICT, WITHOUT ROWID;
CREATE INDEX thread_recent ON thread (user, archived, recent);
CREATE TRIGGER span_begins AFTER INSERT ON span WHEN new.thread != '{ERASED_THREAD}' BEGIN
 INSERT INTO thread SELECT new.user, new.thread, NULL, 0, coalesce(
  (SELECT at FROM log WHERE user = new.user AND "offset" = new.first), 0), 0, new.first WHERE true
 ON CONFLICT DO UPDATE SET recent = max(recent, excluded.recent);
END;
CREATE TRIGGER span_ends AFTER DELETE ON span BEGIN
 DELETE FROM thread WHERE user = old.user AND thread = old.thread AND NOT EXISTS (
  SELECT 1 FROM span WHERE user = old.user AND thread = old.thread);
END;
CREATE TRIGGER run_begins AFTER INSERT ON open_run WHEN new.parent IS NULL BEGIN
 UPDATE thread SET runs = runs + 1 WHERE user = new.user AND thread = new.thread;
END;
"""
# A report may come, or a dead letter be found, while a thread is erased.
_AFTER_ERASURE: Final = """
CREATE TRIGGER mark_erased BEFORE INSERT ON mark WHEN EXISTS (SELECT 1 FROM log
 WHERE user = new.user AND "offset" = new."offset" AND kind = 'superseded')
BEGIN SELECT raise(IGNORE); END;
CREATE TRIGGER letter_erased BEFORE INSERT ON dead_letter WHEN EXISTS (SELECT 1 FROM log
 WHERE id = new.event AND kind = 'superseded')
BEGIN SELECT raise(IGNORE); END;
"""
THREADS: Final = _THREADS + _AFTER_ERASURE
"""The list of threads: it comes with the threads of the events that are there already."""

# Tables that came after the first version, by name: a journal without them gets them when it is
# opened. Short, as the schema is read whenever a journal is opened.
LATER: Final = {
    # Kept until the run ends, even if an older greenroom ends it.
    "going_on": """
CREATE TABLE going_on (
 user TEXT NOT NULL,
 run TEXT NOT NULL,
 agent TEXT NOT NULL,
 attempt INTEGER NOT NULL,
 at INTEGER NOT NULL,
 stopped INTEGER NOT NULL,
 PRIMARY KEY (user, run)
) STRICT, WITHOUT ROWID;
CREATE TABLE step_result (
 user TEXT NOT NULL,
 run TEXT NOT NULL,
 key TEXT NOT NULL,
 value TEXT NOT NULL,
 at INTEGER NOT NULL,
 PRIMARY KEY (user, run, key)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER run_ends AFTER DELETE ON open_run BEGIN
 DELETE FROM going_on WHERE user = old.user AND run = old.run;
 DELETE FROM step_result WHERE user = old.user AND run = old.run;
END;
""",
    "received": """
CREATE TABLE received (
 user TEXT NOT NULL,
 start INTEGER NOT NULL,
 through INTEGER NOT NULL,
 PRIMARY KEY (user, start)
) STRICT, WITHOUT ROWID;
""",
    "forgotten": """
CREATE TABLE forgotten (
 user TEXT PRIMARY KEY,
 through INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
""",
    "ask": """
CREATE TABLE ask (
 user TEXT NOT NULL,
 ask TEXT NOT NULL,
 run TEXT NOT NULL,
 "offset" INTEGER NOT NULL,
 ended INTEGER,
 PRIMARY KEY (user, ask)
) STRICT, WITHOUT ROWID;
CREATE INDEX ask_open ON ask (user, "offset") WHERE ended IS NULL;
""",
    "run_policy": """
CREATE TABLE run_policy (
 user TEXT NOT NULL,
 run TEXT NOT NULL,
 class TEXT NOT NULL,
 done TEXT NOT NULL,
 expires INTEGER NOT NULL,
 dead_letter INTEGER NOT NULL,
 level TEXT NOT NULL,
 through INTEGER NOT NULL,
 due INTEGER,
 PRIMARY KEY (user, run, class)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_policy_due ON run_policy (due, user);
""",
    "cause": """
CREATE TABLE cause (
 number INTEGER PRIMARY KEY,
 user TEXT NOT NULL,
 event TEXT NOT NULL UNIQUE,
 run TEXT NOT NULL,
 at INTEGER NOT NULL,
 type TEXT NOT NULL,
 text TEXT NOT NULL,
 traceback TEXT NOT NULL
) STRICT;
""",
    "ban": _BAN,
    # A crash outside of the users' parts of the tree has no user.
    "crash": """
CREATE TABLE crash (
 number INTEGER PRIMARY KEY,
 user TEXT,
 crash TEXT NOT NULL UNIQUE,
 at INTEGER NOT NULL,
 process TEXT NOT NULL,
 began INTEGER NOT NULL,
 line TEXT NOT NULL,
 report TEXT NOT NULL
) STRICT;
""",
    "file": _FILES,
}
