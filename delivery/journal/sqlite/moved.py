"""The mark in a journal's file that it was moved to Postgres, so that no server uses it again."""

from __future__ import annotations

from typing import Final

import apsw

from greenroom.delivery.errors import JournalMoved

_MOVED: Final = "SELECT value FROM meta WHERE name = 'moved_to'"
_MARK: Final = "INSERT OR REPLACE INTO meta VALUES ('moved_to', ?)"
_TAKE_BACK: Final = "DELETE FROM meta WHERE name = 'moved_to'"


def mark_as_moved(database: apsw.Connection, to: str) -> None:
    """Let no server open the file from now on. `to`: where the journal is, for the error."""
    database.execute(_MARK, (to,))


def moved_to(database: apsw.Connection) -> str | None:
    """Where the journal was moved to."""
    found = database.execute(_MOVED).get
    return None if found is None else str(found)


def take_back(database: apsw.Connection) -> None:
    """Let servers open the file again."""
    database.execute(_TAKE_BACK)


def check_not_moved(database: apsw.Connection) -> None:
    """Raises `JournalMoved`."""
    if (place := moved_to(database)) is not None:
        raise JournalMoved(
            f"{database.filename} was moved to {place}, and is what it was before that",
            advice="start servers with --journal postgresql://…; to go back to the file, without "
            "what was kept since, run `greenroom journal move --back`",
        )
