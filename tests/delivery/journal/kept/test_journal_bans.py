"""What every journal keeps of the users that the service refuses."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.ids import BadId, UserId
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from tests.delivery.journal.journal_conformance import RUNS, record

pytestmark = pytest.mark.requirement("R47")

ALICE, BOB, CAROL = map(UserId, ("alice", "bob", "carol"))


async def test_the_newest_ban_of_each_user_is_kept_in_the_order_of_users(journal: Journal) -> None:
    await journal.append([Ban(BOB, 50, 1), Ban(ALICE, 60, 1)])
    await journal.append([Ban(BOB, 70, 2), Ban(CAROL, 80, 2)])
    kept = [Ban(ALICE, 60, 1), Ban(BOB, 70, 2), Ban(CAROL, 80, 2)]
    assert await journal.bans(limit=9) == kept
    assert await journal.bans(limit=2) == kept[:2]
    assert await journal.bans(after=ALICE, limit=1) == kept[1:2]
    assert await journal.bans(after=CAROL, limit=1) == []


async def test_what_is_over_is_forgotten_with_the_next_one(journal: Journal) -> None:
    await journal.append([Ban(ALICE, 50, 1), Ban(BOB, 90, 1)])
    await journal.append([Ban(CAROL, 90, 50)])
    assert await journal.bans(limit=9) == [Ban(BOB, 90, 1), Ban(CAROL, 90, 50)]
    await journal.append([Ban(BOB, 60, 60)])
    assert await journal.bans(limit=9) == [Ban(CAROL, 90, 50)]


async def test_a_ban_of_no_user_is_refused(journal: Journal) -> None:
    with pytest.raises(BadId, match="user"):
        await journal.append([Ban(RUNS[0], 2, 1)])  # type: ignore[arg-type]  # the mistake


async def test_erasing_a_user_forgets_the_ban(journal: Journal) -> None:
    await journal.append([record(1), Ban(record(1).user, 50, 1)])
    while await journal.erase_user_soon(record(1).user).wait():
        pass
    assert await journal.bans(limit=9) == []


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
