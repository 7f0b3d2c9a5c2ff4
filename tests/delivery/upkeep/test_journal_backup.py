"""A backup is of one moment, whatever a server writes meanwhile."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.errors import JournalCorrupt, JournalFailed
from greenroom.delivery.upkeep import journal_upkeep
from greenroom.delivery.upkeep.journal_backup import back_up_online
from tests.delivery.journal.journal_story import rows, write_story


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    write_story(tmp_path / "journal.db", "alice", "bob")
    return tmp_path / "journal.db"


def test_what_is_written_meanwhile_is_not_in_it_and_does_not_begin_it_again(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_upkeep, "_PAGES", 1)
    before, steps = rows(journal), []
    with closing(apsw.Connection(str(journal))) as server:

        def write(what: str, done: int, total: int) -> None:
            steps.append((what, done))
            server.execute("UPDATE log SET body = CAST(body || ' ' AS BLOB) WHERE number = 1")

        done = back_up_online(journal, journal.with_name("copy.db"), write)
    assert rows(journal.with_name("copy.db")) == before != rows(journal)
    assert done.size == journal.with_name("copy.db").stat().st_size
    copied = [count for what, count in steps if what == "copying"]
    assert len(copied) > 2
    assert copied == sorted(set(copied)), "each page once"


def test_a_damaged_journal_or_a_place_that_is_taken_leaves_no_file(journal: Path) -> None:
    taken = journal.with_name("taken.db")
    taken.write_bytes(b"precious")
    with pytest.raises(JournalFailed, match=r"taken\.db exists already"):
        back_up_online(journal, taken)
    assert taken.read_bytes() == b"precious"
    spoil(journal)
    with pytest.raises(JournalCorrupt):
        back_up_online(journal, journal.with_name("copy.db"))
    assert [*journal.parent.glob("copy*")] == []


def spoil(journal: Path) -> None:
    """Overwrite a page in the middle: SQLite finds it in an integrity check."""
    with closing(apsw.Connection(str(journal))) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = int(database.execute("PRAGMA page_size").get)
    data = bytearray(journal.read_bytes())
    data[-page:] = b"\xff" * page
    journal.write_bytes(data)


def test_a_killed_backup_leaves_nothing_that_keeps_the_next_from_its_place(journal: Path) -> None:
    journal.with_name("copy.db.part").write_bytes(b"half a copy")
    back_up_online(journal, journal.with_name("copy.db"))
    assert rows(journal.with_name("copy.db")) == rows(journal)
    assert not journal.with_name("copy.db.part").exists()
