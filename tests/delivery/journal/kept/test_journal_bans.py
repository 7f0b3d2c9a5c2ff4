"""What every journal keeps of the users that the service refuses."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.events.ban import Ban
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.testing.journal_conformance.claims.bans import ALICE
from tests.delivery.journal.journal_conformance import record

pytestmark = pytest.mark.requirement("R47")


async def test_a_journal_of_an_older_version_gets_the_table_when_it_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1)])
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TABLE ban")  # as the version before wrote it
    async with open_sqlite_journal(path) as journal:
        assert await journal.bans(limit=9) == []
        await journal.append([Ban(ALICE, 50, 1)])
    async with open_sqlite_journal(path) as journal:
        assert await journal.bans(limit=9) == [Ban(ALICE, 50, 1)]


async def test_an_export_has_the_bans(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append([Ban(ALICE, 50, 1)])
    lines: list[bytes] = []
    export_journal(path, lines.append)
    import_journal(copy, lines)
    async with open_sqlite_journal(copy) as journal:
        assert await journal.bans(limit=9) == [Ban(ALICE, 50, 1)]
    with closing(apsw.Connection(str(copy))) as database:
        assert list(check(database)) == []
