"""What every journal keeps of the causes of failures, and how much of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.testing.journal_conformance.claims.causes import cause, failed

pytestmark = pytest.mark.requirement("R52")


async def test_a_cause_survives_a_restart(tmp_path: Path) -> None:
    event = failed()
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        await journal.append([event, cause(event)])
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        assert await journal.cause(event.id) == cause(event)
    assert JournalReader(tmp_path / "journal.db").cause(event.id) == cause(event)


async def test_a_journal_of_an_older_version_gets_the_table_when_it_is_opened(
    tmp_path: Path,
) -> None:
    path, first, second = tmp_path / "journal.db", failed(1), failed(2)
    async with open_sqlite_journal(path) as journal:
        await journal.append([first])
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TABLE cause")  # as the version before wrote it
    assert JournalReader(path).cause(first.id) is None
    async with open_sqlite_journal(path) as journal:
        assert await journal.cause(first.id) is None
        await journal.append([second, cause(second)])
        assert await journal.cause(second.id) == cause(second)


async def test_an_export_has_the_causes(tmp_path: Path) -> None:
    path, copy, event = tmp_path / "journal.db", tmp_path / "copy.db", failed()
    async with open_sqlite_journal(path) as journal:
        await journal.append([cause(event)])  # as after a trim
    lines: list[bytes] = []
    export_journal(path, lines.append)
    import_journal(copy, lines)
    assert JournalReader(copy).cause(event.id) == cause(event)
    with JournalReader(copy).look() as database:
        assert list(check(database)) == []
