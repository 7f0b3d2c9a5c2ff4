"""What every journal keeps of threads: the list, titles, and the erasure of a thread or a user."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import apsw
import orjson
import pytest

from greenroom.delivery.events.ids import EventId, ThreadId, UserId, with_bits
from greenroom.delivery.events.kinds import Event, EventClass, Kind, class_of
from greenroom.delivery.events.record import DeadLetter, Record, Settled
from greenroom.delivery.events.threads import ERASED_THREAD, Last, Thread, UnknownThread
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadThread, ReadThreadOwner, ReadThreads
from greenroom.delivery.journal.sql.tables.erasure import STEP, TRIM_STEP
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BOB,
    IDS,
    REQUEST,
    RUNS,
    SESSIONS,
    THREADS,
    confirmed,
    cursor,
    displayed,
    record,
)

ONE, TWO, THREE = THREADS
SECRET = "my diagnosis"


def said(offset: int, words: object, thread: ThreadId = ONE, user: UserId = ALICE) -> Record:
    """A message of the user, with the body that a server writes."""
    body = {"offset": offset, "data": {"body": words, "say": f"say-{offset}"}}
    return record(
        offset,
        user=user,
        kind=Kind.USER_SAID,
        thread=thread,
        run=RUNS[offset % 4],
        say=f"say-{offset}",
        body=orjson.dumps(body),
    )


def whole(offset: int, words: str, thread: ThreadId = ONE, user: UserId = ALICE) -> Record:
    """An event as it is on the wire."""
    kind, event = Kind.FINAL_REPORT, IDS.new(EventId)
    fields = {
        "offset": offset,
        "at": offset,
        "id": event,
        "kind": kind,
        "class": class_of(kind),
        "thread": thread,
        "run": RUNS[0],
        "parent": None,
        "request": REQUEST,
        "data": {"report": words},
    }
    run, body = RUNS[0], orjson.dumps(fields)
    return Record(
        *(user, offset, event, kind, class_of(kind), thread, run, None, REQUEST, offset, None, body)
    )


async def threads(
    journal: Journal,
    before: int | ThreadId | None = None,
    limit: int = 100,
    *,
    archived: bool = False,
    user: UserId = ALICE,
) -> list[Thread]:
    page = await journal.ask(ReadThreads(user, before, limit, archived)).wait()
    return list(page.threads)


async def find(journal: Journal, thread: ThreadId, user: UserId = ALICE) -> Thread | None:
    return await journal.ask(ReadThread(user, thread)).wait()


async def names(journal: Journal, **options: object) -> list[ThreadId]:
    return [each.thread for each in await threads(journal, **options)]  # type: ignore[arg-type]


async def erase(journal: Journal, thread: ThreadId, through: int, user: UserId = ALICE) -> None:
    while await journal.erase_thread_soon(user, thread, through=through).wait():
        pass


async def erase_user(journal: Journal, user: UserId = ALICE) -> None:
    while await journal.erase_user_soon(user).wait():
        pass


# The list


async def test_whose_a_thread_is_is_known_by_its_id_while_it_is_kept(journal: Journal) -> None:
    late = with_bits(ThreadId, 3_600_000 << 80)  # an hour after the events
    await journal.append([said(1, "hi", ONE), said(1, "hi", TWO, BOB), said(2, "hi", late)])
    owners = [await journal.ask(ReadThreadOwner(each)).wait() for each in (ONE, TWO, THREE, late)]
    assert owners == [ALICE, BOB, None, None]
    await erase(journal, ONE, through=2)
    assert await journal.ask(ReadThreadOwner(ONE)).wait() is None


async def test_what_is_erased_is_not_erased_for_ever(journal: Journal) -> None:
    await journal.append([said(1, "one"), said(2, "two")])
    await erase(journal, ONE, 2)
    assert not await journal.erase_thread_soon(ALICE, ERASED_THREAD, through=2).wait()


@pytest.mark.requirement("R50")
async def test_a_thread_is_titled_by_the_first_thing_said_in_it(journal: Journal) -> None:
    await journal.append([said(1, "  Plan a trip\nto Rome "), said(2, "and Naples")])
    await journal.append([whole(3, "Take the train")])
    last = Last(Kind.FINAL_REPORT, "Take the train")
    assert await threads(journal) == [Thread(ONE, "Plan a trip to Rome", 1, 3, 2, last, False)]


async def test_a_long_message_gives_a_short_title_and_an_object_its_text(journal: Journal) -> None:
    await journal.append([said(1, "word " * 100), said(2, {"text": "hello"}, TWO)])
    await journal.append([said(3, {"page": 4}, THREE)])
    titles = [each.title for each in await threads(journal)]
    assert titles == [None, "hello", "word " * 15 + "word"]


@pytest.mark.requirement("R50")
async def test_the_thread_used_last_comes_first(journal: Journal) -> None:
    await journal.append([said(1, "a", ONE), said(2, "b", TWO), said(3, "c", THREE)])
    assert await names(journal) == [THREE, TWO, ONE]
    await journal.append([record(4, thread=ONE)])
    assert await names(journal) == [ONE, THREE, TWO]
    assert await names(journal, user=BOB) == []


async def test_a_page_goes_on_before_a_thread_or_before_a_time(journal: Journal) -> None:
    await journal.append([said(1, "a", ONE), said(2, "b", TWO), said(3, "c", THREE)])
    page = await journal.ask(ReadThreads(ALICE, None, 2, False)).wait()
    assert ([each.thread for each in page.threads], page.more) == ([THREE, TWO], True)
    rest = await journal.ask(ReadThreads(ALICE, TWO, 2, False)).wait()
    assert ([each.thread for each in rest.threads], rest.more) == ([ONE], False)
    assert await names(journal, before=page.threads[-1].updated) == [ONE]
    assert await names(journal, before=3, limit=1) == [TWO]
    assert await names(journal, before=1) == []


async def test_a_page_before_an_unknown_thread_is_refused(journal: Journal) -> None:
    with pytest.raises(UnknownThread):
        await threads(journal, before=ONE)


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_has_one_to_a_hundred_threads(journal: Journal, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        await threads(journal, limit=limit)


@pytest.mark.requirement("R50")
async def test_a_thread_is_named_and_archived_and_taken_back(journal: Journal) -> None:
    await journal.append([said(1, "a", ONE), said(2, "b", TWO)])
    assert await journal.change_thread_soon(ALICE, ONE, title="Rome").wait()
    assert await journal.change_thread_soon(ALICE, ONE, archived=True).wait()
    await journal.append([said(3, "more", ONE)])
    assert await names(journal) == [TWO]
    assert [(each.thread, each.title) for each in await threads(journal, archived=True)] == [
        (ONE, "Rome")
    ]
    assert await journal.change_thread_soon(ALICE, ONE, archived=False).wait()
    assert await names(journal) == [ONE, TWO]


async def test_another_users_thread_cannot_be_changed(journal: Journal) -> None:
    await journal.append([said(1, "a", ONE)])
    assert not await journal.change_thread_soon(BOB, ONE, title="mine").wait()
    assert not await journal.change_thread_soon(ALICE, TWO, title="none").wait()


async def test_a_title_outlives_the_trimmed_beginning_but_not_the_thread(journal: Journal) -> None:
    await journal.append([said(1, "Rome"), record(2), record(3, thread=TWO)])
    await journal.trim(ALICE, through=1)
    assert [each.title for each in await threads(journal)] == [None, "Rome"]
    await journal.trim(ALICE, through=2)
    assert await names(journal) == [TWO]


# Erasing a thread


@pytest.mark.requirement("R50")
async def test_what_was_said_in_an_erased_thread_is_superseded_in_the_log(journal: Journal) -> None:
    events = [whole(1, "keep", TWO), whole(2, SECRET), whole(3, SECRET), whole(4, "keep", TWO)]
    await journal.append([*events, confirmed(2, note=SECRET), displayed(4)])
    letter = DeadLetter(ALICE, 3, events[2].id, events[2].kind, "dead_lettered", (), 9)
    await journal.append([letter])
    await erase(journal, ONE, 4)
    found = await journal.read(ALICE, after=0, limit=9, max_bytes=9_999)
    assert [each.kind for each in found] == [
        *(Kind.FINAL_REPORT, Kind.SUPERSEDED, Kind.SUPERSEDED, Kind.FINAL_REPORT)
    ]
    assert [(each.offset, each.id, each.at) for each in found] == [
        (each.offset, each.id, each.at) for each in events
    ]
    gone = Event.decode(found[1].body)
    assert (gone.thread, gone.data) == (ERASED_THREAD, {"through": 2})
    assert await journal.marks(ALICE, after=0, limit=9) == [displayed(4)]
    assert await journal.dead_letters(limit=9) == []
    assert (await names(journal), await find(journal, ONE)) == ([TWO], None)


async def test_a_report_on_an_erased_event_that_comes_late_is_not_kept(journal: Journal) -> None:
    event = whole(1, SECRET)
    await journal.append([event])
    await erase(journal, ONE, 1)
    letter = DeadLetter(ALICE, 1, event.id, event.kind, "dead_lettered", (), 9)
    await journal.append([confirmed(1, note=SECRET), letter])
    assert await journal.marks(ALICE, after=0, limit=9) == []
    assert await journal.dead_letters(limit=9) == []


@pytest.mark.requirement("R50")
async def test_history_and_search_know_nothing_of_an_erased_thread(journal: Journal) -> None:
    await journal.append([said(1, SECRET), said(2, "b", TWO), said(3, SECRET)])
    await erase(journal, ONE, 3)
    everything = await journal.history(ALICE, thread=None, before=None, limit=9)
    assert [each.offset for each in everything.records] == [2]
    assert not (await journal.history(ALICE, thread=ONE, before=None, limit=9)).records
    assert await journal.said(ALICE, "say-1") is None
    assert [each.thread for each in await journal.threads(ALICE)] == [TWO]


async def test_what_is_said_in_an_erased_thread_later_begins_it_again(journal: Journal) -> None:
    await journal.append([said(1, SECRET), said(2, SECRET)])
    await erase(journal, ONE, 2)
    await journal.append([said(3, "a new start")])
    [thread] = await threads(journal)
    assert (thread.title, thread.created, thread.runs) == ("a new start", 3, 1)
    page = await journal.history(ALICE, thread=ONE, before=None, limit=9)
    assert [each.offset for each in page.records] == [3]


async def test_what_was_said_beyond_the_erased_offset_stays(journal: Journal) -> None:
    await journal.append([said(1, SECRET), said(2, SECRET), said(3, "since")])
    await erase(journal, ONE, 2)
    [thread] = await threads(journal)
    assert (thread.title, thread.created, thread.runs) == ("since", 3, 1)


async def test_an_erased_event_that_had_no_outcome_holds_up_no_settling(journal: Journal) -> None:
    await journal.append([whole(1, SECRET), whole(2, "b", TWO)])
    await erase(journal, ONE, 2)
    await journal.append([Settled(ALICE, EventClass.CRITICAL, 2)])
    assert (await journal.overdue(EventClass.CRITICAL, before=99, limit=9)).users == []


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
async def test_an_erased_user_is_one_that_the_journal_never_knew(journal: Journal) -> None:
    await journal.append([said(n, SECRET) for n in range(1, TRIM_STEP + 3)])
    await journal.append([cursor(2), displayed(2), Settled(ALICE, EventClass.PROGRESS, 2)])
    await journal.append([said(1, "b", user=BOB)])
    await erase_user(journal)
    assert (await journal.bounds(ALICE)).last == 0
    assert await journal.open_runs(ALICE) == await threads(journal) == []
    assert await journal.cursor(ALICE, SESSIONS[0]) is None
    assert await journal.settled(ALICE) == dict.fromkeys(EventClass, 0)
    assert await names(journal, user=BOB) == [ONE]
    await journal.append([said(1, "again")])
    assert [each.title for each in await threads(journal)] == ["again"]


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
