"""What every journal keeps of the files that users send."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import user_said
from greenroom.delivery.events.ids import BadId, EventId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Entry
from greenroom.delivery.files.entries import (
    EXPIRES_MS,
    FileDiscarded,
    FilePart,
    FilesForgotten,
    FilesSaid,
    KeptFile,
    PendingFiles,
)
from greenroom.delivery.files.reading import ReadFilePart, ReadFiles, ReadUpload, Upload
from greenroom.delivery.files.taken import File
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.retention.cutoffs import Cutoffs
from greenroom.delivery.journal.sql.tables.files import CUT_BYTES
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.delivery.user_data import export_user
from tests.delivery.journal.journal_conformance import IDS, RUNS, SESSIONS, record
from tests.delivery.journal.retention.passes import settled, sweep

ALICE = record(1).user
RUN = RUNS[0]


def part(file: str, start: int, data: bytes, at: int = 1, user: UserId = ALICE) -> FilePart:
    return FilePart(user, file, start, at, data)


def message() -> list[Entry]:
    """The first event: a message that names the file `a`."""
    context = UserContext(ALICE, record(1).thread, RUN, record(1).request)
    files = [File("a", "a.png", "image/png", 3)]
    said = user_said(event=IDS.new(EventId), context=context, body="", say="1", files=files)
    assert said.beside is not None
    first = said.record(ALICE, 1, 1)
    return [first, *said.beside.entries(first)]


async def kept(journal: Journal, *files: str, user: UserId = ALICE) -> list[KeptFile | None]:
    return [*await journal.ask(ReadFiles(user, files)).wait()]


async def parts(journal: Journal, file: str = "a") -> list[bytes]:
    asked = [journal.ask(ReadFilePart(ALICE, file, start)) for start in (0, 3)]
    return [await each.wait() for each in asked]


async def test_a_file_is_kept_in_parts_each_once(journal: Journal) -> None:
    await journal.append([part("a", 0, b"\0\xff\1"), part("b", 0, b"")])
    await journal.append([part("a", 3, b"more")])
    await journal.append([part("a", 0, b"new")])
    assert await kept(journal, "a", "b", "c") == [KeptFile(7, None), KeptFile(0, None), None]
    assert await parts(journal) == [b"\0\xff\1", b"more"]
    assert await kept(journal, "a", user=UserId("bob")) == [None]


async def test_a_part_of_a_file_that_ends_elsewhere_by_now_changes_nothing(
    journal: Journal,
) -> None:
    """A connection asks how far the file is, and appends after that: another one may be faster, and
    the file may be erased."""
    await journal.append([part("a", 0, b"one"), part("a", 0, b"longer"), part("a", 6, b"gap")])
    await journal.append([part("erased", 3, b"rest"), part("empty", 0, b"")])
    await journal.append([part("empty", 0, b"one"), part("empty", 3, b"more")])
    files = await kept(journal, "a", "erased", "empty")
    assert files == [KeptFile(3, None), None, KeptFile(7, None)]
    assert await parts(journal) == [b"one", b""]
    assert await parts(journal, "empty") == [b"one", b"more"]
    await journal.append(message())
    await journal.append([part("a", 3, b"late")])
    assert await kept(journal, "a") == [KeptFile(3, RUN)]


async def test_an_upload_is_discarded_unless_a_message_has_it(journal: Journal) -> None:
    await journal.append([part("a", 0, b"one"), part("b", 0, b"two")])
    await journal.append(message())
    gone = [FileDiscarded(ALICE, "a"), FileDiscarded(ALICE, "b"), FileDiscarded(ALICE, "c")]
    await journal.append(gone)
    assert await kept(journal, "a", "b") == [KeptFile(3, RUN), None]
    assert await parts(journal, "b") == [b"", b""]


async def test_a_file_belongs_to_the_first_message_that_names_it(journal: Journal) -> None:
    await journal.append([part("a", 0, b"one")])
    await journal.append(message())
    await journal.append([FilesSaid(ALICE, RUNS[1], ["a"])])
    assert await kept(journal, "a") == [KeptFile(3, RUN)]


async def test_what_waits_for_its_message_is_counted_and_expires(journal: Journal) -> None:
    await journal.append([part("a", 0, b"one"), part("b", 0, b"four", at=5)])
    of_b = KeptFile(4, None)
    of_a, none = PendingFiles(1, 3), PendingFiles(0, 0)
    assert await journal.ask(ReadUpload(ALICE, "b", 0)).wait() == Upload(of_b, of_a, of_a)
    assert await journal.ask(ReadUpload(ALICE, "b", 5)).wait() == Upload(of_b, of_a, none)
    await journal.append([FilesForgotten(ALICE, 5)])
    assert await kept(journal, "a", "b") == [None, of_b]
    await journal.append([part("c", 0, b"late", at=6 + EXPIRES_MS, user=UserId("bob"))])
    assert await kept(journal, "b") == [None]
    assert await parts(journal) == [b"", b""]


async def test_a_file_with_a_message_neither_counts_nor_expires(journal: Journal) -> None:
    await journal.append([part("a", 0, b"one")])
    await journal.append(message())
    await journal.append([FilesForgotten(ALICE, 5), part("b", 0, b"", at=2 * EXPIRES_MS)])
    of_b, none = KeptFile(0, None), PendingFiles(0, 0)
    assert await journal.ask(ReadUpload(ALICE, "b", 0)).wait() == Upload(of_b, none, none)
    assert await kept(journal, "a") == [KeptFile(3, RUN)]


async def test_a_file_is_trimmed_and_erased_with_its_message(journal: Journal) -> None:
    await journal.append([part("a", 0, b"one")])
    await journal.append([*message(), record(2)])
    await journal.trim(ALICE, through=1)
    assert await kept(journal, "a") == [None]
    assert await parts(journal) == [b"", b""]


async def test_an_erased_thread_takes_its_files_along(journal: Journal) -> None:
    await journal.append([part("a", 0, b"one"), part("b", 0, b"two")])
    await journal.append(message())
    while await journal.erase_thread_soon(ALICE, record(1).thread, through=1).wait():
        pass
    assert await kept(journal, "a", "b") == [None, KeptFile(3, None)]
    assert await parts(journal) == [b"", b""]


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


async def test_an_erased_user_takes_all_files_along(journal: Journal) -> None:
    await journal.append([part("a", 0, b"one"), part("b", 0, b"two")])
    await journal.append(message())
    exported = b"".join([line async for line in export_user(journal, ALICE)])
    assert b'"data":"b25l"' in exported
    while await journal.erase_user_soon(ALICE).wait():
        pass
    assert await kept(journal, "a", "b") == [None, None]
    assert await parts(journal) == [b"", b""]


async def test_a_message_of_no_run_is_refused(journal: Journal) -> None:
    with pytest.raises(BadId, match="run"):
        await journal.append([FilesSaid(ALICE, SESSIONS[0], ["a"])])  # type: ignore[arg-type]  # the mistake


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
