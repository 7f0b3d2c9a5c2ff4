"""What every journal keeps of threads: the list, titles, and the erasure of a thread or a user."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.sql.tables.erasure import STEP, TRIM_STEP
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.testing.journal_conformance.claims.threads import (
    ONE,
    SECRET,
    TWO,
    erase,
    erase_user,
    names,
    said,
    threads,
    whole,
)
from tests.delivery.journal.journal_conformance import (
    ALICE,
    IDS,
    confirmed,
    cursor,
    displayed,
    record,
)

# The list


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_has_one_to_a_hundred_threads(journal: Journal, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        await threads(journal, limit=limit)


# Erasing a thread


async def test_a_long_thread_is_erased_in_steps_and_each_leaves_a_sound_journal(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        events = [whole(n, SECRET, (ONE, ONE, TWO)[n % 3]) for n in range(1, 2 * STEP + 1)]
        await journal.append(events)
        steps = 1
        while await journal.erase_thread_soon(ALICE, ONE, through=2 * STEP).wait():
            steps += 1
            with closing(apsw.Connection(str(path))) as database:
                assert list(check(database, strict=False)) == []
        assert steps == 2
        assert await names(journal) == [TWO]
    with closing(apsw.Connection(str(path))) as database:
        assert list(check(database, strict=False)) == []
    assert SECRET.encode() * 1 in path.read_bytes(), "the other thread's"


@pytest.mark.requirement("R50")
async def test_nothing_of_an_erased_thread_is_left_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        for n in range(1, 60, 3):
            await journal.append([whole(n, f"{SECRET} {n} " * 200), said(n + 1, SECRET)])
            await journal.append([whole(n + 2, "b", TWO), confirmed(n, note=SECRET)])
        await journal.change_thread_soon(ALICE, ONE, title=SECRET).wait()
        await erase(journal, ONE, 60)
        assert b"diagnosis" not in all_bytes(path)
        assert ONE.encode() not in all_bytes(path)
        assert TWO.encode() in all_bytes(path)


# Erasing a user


@pytest.mark.requirement("R55")
async def test_nothing_of_an_erased_user_is_left_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    user = UserId("user-to-forget")
    async with open_sqlite_journal(path) as journal:
        for n in range(1, 3 * TRIM_STEP):
            mine = said(n, f"{SECRET} {n}", user=user)
            await journal.append([mine, record(n), cursor(n, user=user), displayed(n, user=user)])
        await erase_user(journal, user)
        found = all_bytes(path)
        assert user.encode() not in found
        assert SECRET.encode() not in found
        assert ALICE.encode() in found


# Journals of earlier versions, and exports


def forget_threads(path: Path) -> None:
    """Make it a journal of the version before."""
    with closing(apsw.Connection(str(path))) as database:
        for name in ("span_begins", "span_ends", "run_begins", "mark_erased", "letter_erased"):
            database.execute(f"DROP TRIGGER {name}")
        database.execute("DROP TABLE thread")


async def test_a_journal_of_an_older_version_gets_its_threads_when_it_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    events = [said(1, "Rome"), record(2), said(3, "Milan", TWO), said(4, "again")]
    async with open_sqlite_journal(path) as journal:
        await journal.append(events)
        before = await threads(journal)
    forget_threads(path)
    async with open_sqlite_journal(path) as journal:
        assert await threads(journal) == before
        assert [(each.title, each.runs) for each in before] == [("Rome", 2), ("Milan", 1)]


async def test_an_export_has_the_titles_and_what_is_archived(tmp_path: Path) -> None:
    path, lines = tmp_path / "journal.db", list[bytes]()
    async with open_sqlite_journal(path) as journal:
        await journal.append([whole(1, "a", ONE), whole(2, "b", TWO)])
        await journal.change_thread_soon(ALICE, ONE, title="Rome", archived=True).wait()
        before = await threads(journal, archived=True)
    export_journal(path, lines.append)
    import_journal(tmp_path / "new.db", lines)
    async with open_sqlite_journal(tmp_path / "new.db") as journal:
        assert await threads(journal, archived=True) == before
        assert await names(journal) == [TWO]


async def test_a_page_of_ten_thousand_threads_reads_no_more_than_the_page(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        each = [IDS.new(ThreadId) for _ in range(10_000)]
        await journal.append([record(n, thread=thread) for n, thread in enumerate(each, 1)])
        began = time.perf_counter()
        page = await names(journal, before=each[5_000], limit=100)
        print(f"a page of 100 threads among 10,000: {time.perf_counter() - began:.4f} s")
        assert page == each[4_900:5_000][::-1]
    with closing(apsw.Connection(str(path))) as database:
        plan = " ".join(
            str(row)
            for row in database.execute(
                "EXPLAIN QUERY PLAN SELECT * FROM thread WHERE user = 'a' AND archived = 0"
                " AND recent <= 9 ORDER BY recent DESC LIMIT 9"
            )
        )
    assert "thread_recent" in plan
    assert "TEMP B-TREE" not in plan


def all_bytes(path: Path) -> bytes:
    """The bytes of all files of a journal."""
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
