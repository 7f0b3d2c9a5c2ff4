"""What every journal keeps of the files that users send."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.files.entries import (
    KeptFile,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.retention.cutoffs import Cutoffs
from greenroom.delivery.journal.sql.tables.files import CUT_BYTES
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.testing.journal_conformance.claims.files import (
    ALICE,
    RUN,
    kept,
    message,
    part,
    parts,
)
from tests.delivery.journal.journal_conformance import record
from tests.delivery.journal.retention.passes import settled, sweep


async def test_a_large_file_is_erased_in_steps(journal: Journal) -> None:
    """Other users' commits have their turn in between. What is left meanwhile is no whole file."""
    piece = bytes(CUT_BYTES // 2)
    for file in ("a", "b"):
        await journal.append([part(file, n * len(piece), piece) for n in range(6)])
    await journal.append([*message(), record(2)])
    steps = 1
    while await journal.erase_thread_soon(ALICE, record(1).thread, through=1).wait():
        steps += 1
        (shorter,) = await kept(journal, "a")
        assert shorter is None or shorter.received % len(piece) == 0
    assert await kept(journal, "a", "b") == [None, KeptFile(6 * len(piece), None)]
    while await journal.erase_user_soon(ALICE).wait():
        steps += 1
    assert await kept(journal, "a", "b") == [None, None]
    assert await parts(journal, "b") == [b"", b""]
    assert steps == (1 if isinstance(journal, MemoryJournal) else 5)


async def test_a_large_file_is_forgotten_by_retention(journal: Journal) -> None:
    piece = bytes(CUT_BYTES // 2)
    await journal.append([part("a", n * len(piece), piece) for n in range(6)])
    await journal.append([*message(), record(2, kind=Kind.AGENT_COMPLETED), *settled(2)])
    await sweep(journal, Cutoffs(keep_events=0))
    assert await kept(journal, "a") == [None]
    assert await parts(journal) == [b"", b""]


async def test_files_are_exported_and_imported(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append([part("a", 0, b"\0\xff\1"), part("b", 0, b"two")])
        await journal.append(message())
    lines: list[bytes] = []
    export_journal(path, lines.append)
    import_journal(copy, lines)
    async with open_sqlite_journal(copy) as journal:
        assert await parts(journal) == [b"\0\xff\1", b""]
        assert await kept(journal, "a", "b") == [KeptFile(3, RUN), KeptFile(3, None)]
    with closing(apsw.Connection(str(copy))) as database:
        assert list(check(database)) == []
