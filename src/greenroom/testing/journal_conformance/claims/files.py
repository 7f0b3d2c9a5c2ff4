"""What every journal keeps of the files that users send."""

from __future__ import annotations

import pytest

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import user_said
from greenroom.delivery.events.ids import BadId, EventId, UserId
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
from greenroom.delivery.user_data import export_user
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import IDS, RUNS, SESSIONS, record
from greenroom.testing.same import same

ALICE = record(1).user

RUN = RUNS[0]


def part(file: str, start: int, data: bytes, at: int = 1, user: UserId = ALICE) -> FilePart:
    return FilePart(user, file, start, at, data)


def message() -> list[Entry]:
    """The first event: a message that names the file `a`."""
    context = UserContext(ALICE, record(1).thread, RUN, record(1).request)
    files = [File("a", "a.png", "image/png", 3)]
    said = user_said(event=IDS.new(EventId), context=context, body="", say="1", files=files)
    assert said.beside is not None, "its files are"
    first = said.record(ALICE, 1, 1)
    return [first, *said.beside.entries(first)]


async def kept(journal: Journal, *files: str, user: UserId = ALICE) -> list[KeptFile | None]:
    return [*await journal.ask(ReadFiles(user, files)).wait()]


async def parts(journal: Journal, file: str = "a") -> list[bytes]:
    asked = [journal.ask(ReadFilePart(ALICE, file, start)) for start in (0, 3)]
    return [await each.wait() for each in asked]


class FileClaims(JournalBackend):
    """Claims about files."""

    @of_a_journal
    async def test_a_file_is_kept_in_parts_each_once(self, journal: Journal) -> None:
        await journal.append([part("a", 0, b"\0\xff\1"), part("b", 0, b"")])
        await journal.append([part("a", 3, b"more")])
        await journal.append([part("a", 0, b"new")])
        same(await kept(journal, "a", "b", "c"), [KeptFile(7, None), KeptFile(0, None), None])
        same(await parts(journal), [b"\0\xff\1", b"more"])
        same(await kept(journal, "a", user=UserId("bob")), [None])

    @of_a_journal
    async def test_a_part_of_a_file_that_ends_elsewhere_by_now_changes_nothing(
        self, journal: Journal
    ) -> None:
        """A connection asks how far the file is, and appends after that: another one may be faster,
        and the file may be erased."""
        await journal.append([part("a", 0, b"one"), part("a", 0, b"longer"), part("a", 6, b"gap")])
        await journal.append([part("erased", 3, b"rest"), part("empty", 0, b"")])
        await journal.append([part("empty", 0, b"one"), part("empty", 3, b"more")])
        files = await kept(journal, "a", "erased", "empty")
        same(files, [KeptFile(3, None), None, KeptFile(7, None)])
        same(await parts(journal), [b"one", b""])
        same(await parts(journal, "empty"), [b"one", b"more"])
        await journal.append(message())
        await journal.append([part("a", 3, b"late")])
        same(await kept(journal, "a"), [KeptFile(3, RUN)])

    @of_a_journal
    async def test_an_upload_is_discarded_unless_a_message_has_it(self, journal: Journal) -> None:
        await journal.append([part("a", 0, b"one"), part("b", 0, b"two")])
        await journal.append(message())
        gone = [FileDiscarded(ALICE, "a"), FileDiscarded(ALICE, "b"), FileDiscarded(ALICE, "c")]
        await journal.append(gone)
        same(await kept(journal, "a", "b"), [KeptFile(3, RUN), None])
        same(await parts(journal, "b"), [b"", b""])

    @of_a_journal
    async def test_a_file_belongs_to_the_first_message_that_names_it(
        self, journal: Journal
    ) -> None:
        await journal.append([part("a", 0, b"one")])
        await journal.append(message())
        await journal.append([FilesSaid(ALICE, RUNS[1], ["a"])])
        same(await kept(journal, "a"), [KeptFile(3, RUN)])

    @of_a_journal
    async def test_what_waits_for_its_message_is_counted_and_expires(
        self, journal: Journal
    ) -> None:
        await journal.append([part("a", 0, b"one"), part("b", 0, b"four", at=5)])
        of_b = KeptFile(4, None)
        of_a, none = PendingFiles(1, 3), PendingFiles(0, 0)
        same(await journal.ask(ReadUpload(ALICE, "b", 0)).wait(), Upload(of_b, of_a, of_a))
        same(await journal.ask(ReadUpload(ALICE, "b", 5)).wait(), Upload(of_b, of_a, none))
        await journal.append([FilesForgotten(ALICE, 5)])
        same(await kept(journal, "a", "b"), [None, of_b])
        await journal.append([part("c", 0, b"late", at=6 + EXPIRES_MS, user=UserId("bob"))])
        same(await kept(journal, "b"), [None])
        same(await parts(journal), [b"", b""])

    @of_a_journal
    async def test_a_file_with_a_message_neither_counts_nor_expires(self, journal: Journal) -> None:
        await journal.append([part("a", 0, b"one")])
        await journal.append(message())
        await journal.append([FilesForgotten(ALICE, 5), part("b", 0, b"", at=2 * EXPIRES_MS)])
        of_b, none = KeptFile(0, None), PendingFiles(0, 0)
        same(await journal.ask(ReadUpload(ALICE, "b", 0)).wait(), Upload(of_b, none, none))
        same(await kept(journal, "a"), [KeptFile(3, RUN)])

    @of_a_journal
    async def test_a_file_is_trimmed_and_erased_with_its_message(self, journal: Journal) -> None:
        await journal.append([part("a", 0, b"one")])
        await journal.append([*message(), record(2)])
        await journal.trim(ALICE, through=1)
        same(await kept(journal, "a"), [None])
        same(await parts(journal), [b"", b""])

    @of_a_journal
    async def test_an_erased_thread_takes_its_files_along(self, journal: Journal) -> None:
        await journal.append([part("a", 0, b"one"), part("b", 0, b"two")])
        await journal.append(message())
        while await journal.erase_thread_soon(ALICE, record(1).thread, through=1).wait():
            pass
        same(await kept(journal, "a", "b"), [None, KeptFile(3, None)])
        same(await parts(journal), [b"", b""])

    @of_a_journal
    async def test_an_erased_user_takes_all_files_along(self, journal: Journal) -> None:
        await journal.append([part("a", 0, b"one"), part("b", 0, b"two")])
        await journal.append(message())
        exported = b"".join([line async for line in export_user(journal, ALICE)])
        same(exported.count(b'"data":"b25l"'), 1)
        while await journal.erase_user_soon(ALICE).wait():
            pass
        same(await kept(journal, "a", "b"), [None, None])
        same(await parts(journal), [b"", b""])

    @of_a_journal
    async def test_a_message_of_no_run_is_refused(self, journal: Journal) -> None:
        with pytest.raises(BadId, match="run"):
            await journal.append([FilesSaid(ALICE, SESSIONS[0], ["a"])])  # type: ignore[arg-type]  # the mistake
