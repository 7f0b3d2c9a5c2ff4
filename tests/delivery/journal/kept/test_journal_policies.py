"""What every journal keeps of policies of runs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.testing.journal_conformance.claims.policies import (
    POLICY,
    policies,
)

pytestmark = pytest.mark.requirement("R02")


async def test_a_journal_of_an_older_version_gets_the_table_and_an_export_has_it(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    async with open_sqlite_journal(path):
        pass
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TABLE run_policy")  # as the version before wrote it
    async with open_sqlite_journal(path) as journal:
        await journal.append([POLICY])
    lines: list[bytes] = []
    export_journal(path, lines.append)
    import_journal(copy, lines)
    async with open_sqlite_journal(copy) as journal:
        assert await policies(journal) == [POLICY]
