"""What every journal keeps of threads: the list, titles, and the erasure of a thread or a user."""

from __future__ import annotations

import orjson
import pytest

from greenroom.delivery.events.ids import EventId, ThreadId, UserId, with_bits
from greenroom.delivery.events.kinds import Event, EventClass, Kind, class_of
from greenroom.delivery.events.record import DeadLetter, Record, Settled
from greenroom.delivery.events.threads import ERASED_THREAD, Last, Thread, UnknownThread
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadThread, ReadThreadOwner, ReadThreads
from greenroom.delivery.journal.sql.tables.erasure import TRIM_STEP
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import (
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
from greenroom.testing.same import same

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


class ThreadClaims(JournalBackend):
    """Claims about threads."""

    @of_a_journal
    async def test_whose_a_thread_is_is_known_by_its_id_while_it_is_kept(
        self, journal: Journal
    ) -> None:
        late = with_bits(ThreadId, 3_600_000 << 80)  # an hour after the events
        await journal.append([said(1, "hi", ONE), said(1, "hi", TWO, BOB), said(2, "hi", late)])
        owners = [
            await journal.ask(ReadThreadOwner(each)).wait() for each in (ONE, TWO, THREE, late)
        ]
        same(owners, [ALICE, BOB, None, None])
        await erase(journal, ONE, through=2)
        same(await journal.ask(ReadThreadOwner(ONE)).wait(), None)

    @of_a_journal
    async def test_what_is_erased_is_not_erased_for_ever(self, journal: Journal) -> None:
        await journal.append([said(1, "one"), said(2, "two")])
        await erase(journal, ONE, 2)
        same(await journal.erase_thread_soon(ALICE, ERASED_THREAD, through=2).wait(), False)

    @of_a_journal
    async def test_a_thread_is_titled_by_the_first_thing_said_in_it(self, journal: Journal) -> None:
        await journal.append([said(1, "  Plan a trip\nto Rome "), said(2, "and Naples")])
        await journal.append([whole(3, "Take the train")])
        last = Last(Kind.FINAL_REPORT, "Take the train")
        same(await threads(journal), [Thread(ONE, "Plan a trip to Rome", 1, 3, 2, last, False)])

    @of_a_journal
    async def test_a_long_message_gives_a_short_title_and_an_object_its_text(
        self, journal: Journal
    ) -> None:
        await journal.append([said(1, "word " * 100), said(2, {"text": "hello"}, TWO)])
        await journal.append([said(3, {"page": 4}, THREE)])
        titles = [each.title for each in await threads(journal)]
        same(titles, [None, "hello", "word " * 15 + "word"])

    @of_a_journal
    async def test_the_thread_used_last_comes_first(self, journal: Journal) -> None:
        await journal.append([said(1, "a", ONE), said(2, "b", TWO), said(3, "c", THREE)])
        same(await names(journal), [THREE, TWO, ONE])
        await journal.append([record(4, thread=ONE)])
        same(await names(journal), [ONE, THREE, TWO])
        same(await names(journal, user=BOB), [])

    @of_a_journal
    async def test_a_page_goes_on_before_a_thread_or_before_a_time(self, journal: Journal) -> None:
        await journal.append([said(1, "a", ONE), said(2, "b", TWO), said(3, "c", THREE)])
        page = await journal.ask(ReadThreads(ALICE, None, 2, False)).wait()
        same(([each.thread for each in page.threads], page.more), ([THREE, TWO], True))
        rest = await journal.ask(ReadThreads(ALICE, TWO, 2, False)).wait()
        same(([each.thread for each in rest.threads], rest.more), ([ONE], False))
        same(await names(journal, before=page.threads[-1].updated), [ONE])
        same(await names(journal, before=3, limit=1), [TWO])
        same(await names(journal, before=1), [])

    @of_a_journal
    async def test_a_page_before_an_unknown_thread_is_refused(self, journal: Journal) -> None:
        with pytest.raises(UnknownThread):
            await threads(journal, before=ONE)

    @of_a_journal
    async def test_a_thread_is_named_and_archived_and_taken_back(self, journal: Journal) -> None:
        await journal.append([said(1, "a", ONE), said(2, "b", TWO)])
        same(await journal.change_thread_soon(ALICE, ONE, title="Rome").wait(), True)
        same(await journal.change_thread_soon(ALICE, ONE, archived=True).wait(), True)
        await journal.append([said(3, "more", ONE)])
        same(await names(journal), [TWO])
        same(
            [(each.thread, each.title) for each in await threads(journal, archived=True)],
            [(ONE, "Rome")],
        )
        same(await journal.change_thread_soon(ALICE, ONE, archived=False).wait(), True)
        same(await names(journal), [ONE, TWO])

    @of_a_journal
    async def test_another_users_thread_cannot_be_changed(self, journal: Journal) -> None:
        await journal.append([said(1, "a", ONE)])
        same(await journal.change_thread_soon(BOB, ONE, title="mine").wait(), False)
        same(await journal.change_thread_soon(ALICE, TWO, title="none").wait(), False)

    @of_a_journal
    async def test_a_title_outlives_the_trimmed_beginning_but_not_the_thread(
        self, journal: Journal
    ) -> None:
        await journal.append([said(1, "Rome"), record(2), record(3, thread=TWO)])
        await journal.trim(ALICE, through=1)
        same([each.title for each in await threads(journal)], [None, "Rome"])
        await journal.trim(ALICE, through=2)
        same(await names(journal), [TWO])

    @of_a_journal
    async def test_what_was_said_in_an_erased_thread_is_superseded_in_the_log(
        self, journal: Journal
    ) -> None:
        events = [whole(1, "keep", TWO), whole(2, SECRET), whole(3, SECRET), whole(4, "keep", TWO)]
        await journal.append([*events, confirmed(2, note=SECRET), displayed(4)])
        letter = DeadLetter(ALICE, 3, events[2].id, events[2].kind, "dead_lettered", (), 9)
        await journal.append([letter])
        await erase(journal, ONE, 4)
        found = await journal.read(ALICE, after=0, limit=9, max_bytes=9_999)
        same(
            [each.kind for each in found],
            [*(Kind.FINAL_REPORT, Kind.SUPERSEDED, Kind.SUPERSEDED, Kind.FINAL_REPORT)],
        )
        same(
            [(each.offset, each.id, each.at) for each in found],
            [(each.offset, each.id, each.at) for each in events],
        )
        gone = Event.decode(found[1].body)
        same((gone.thread, gone.data), (ERASED_THREAD, {"through": 2}))
        same(await journal.marks(ALICE, after=0, limit=9), [displayed(4)])
        same(await journal.dead_letters(limit=9), [])
        same((await names(journal), await find(journal, ONE)), ([TWO], None))

    @of_a_journal
    async def test_a_report_on_an_erased_event_that_comes_late_is_not_kept(
        self, journal: Journal
    ) -> None:
        event = whole(1, SECRET)
        await journal.append([event])
        await erase(journal, ONE, 1)
        letter = DeadLetter(ALICE, 1, event.id, event.kind, "dead_lettered", (), 9)
        await journal.append([confirmed(1, note=SECRET), letter])
        same(await journal.marks(ALICE, after=0, limit=9), [])
        same(await journal.dead_letters(limit=9), [])

    @of_a_journal
    async def test_history_and_search_know_nothing_of_an_erased_thread(
        self, journal: Journal
    ) -> None:
        await journal.append([said(1, SECRET), said(2, "b", TWO), said(3, SECRET)])
        await erase(journal, ONE, 3)
        everything = await journal.history(ALICE, thread=None, before=None, limit=9)
        same([each.offset for each in everything.records], [2])
        same((await journal.history(ALICE, thread=ONE, before=None, limit=9)).records, [])
        same(await journal.said(ALICE, "say-1"), None)
        same([each.thread for each in await journal.threads(ALICE)], [TWO])

    @of_a_journal
    async def test_what_is_said_in_an_erased_thread_later_begins_it_again(
        self, journal: Journal
    ) -> None:
        await journal.append([said(1, SECRET), said(2, SECRET)])
        await erase(journal, ONE, 2)
        await journal.append([said(3, "a new start")])
        [thread] = await threads(journal)
        same((thread.title, thread.created, thread.runs), ("a new start", 3, 1))
        page = await journal.history(ALICE, thread=ONE, before=None, limit=9)
        same([each.offset for each in page.records], [3])

    @of_a_journal
    async def test_what_was_said_beyond_the_erased_offset_stays(self, journal: Journal) -> None:
        await journal.append([said(1, SECRET), said(2, SECRET), said(3, "since")])
        await erase(journal, ONE, 2)
        [thread] = await threads(journal)
        same((thread.title, thread.created, thread.runs), ("since", 3, 1))

    @of_a_journal
    async def test_an_erased_event_that_had_no_outcome_holds_up_no_settling(
        self, journal: Journal
    ) -> None:
        await journal.append([whole(1, SECRET), whole(2, "b", TWO)])
        await erase(journal, ONE, 2)
        await journal.append([Settled(ALICE, EventClass.CRITICAL, 2)])
        same((await journal.overdue(EventClass.CRITICAL, before=99, limit=9)).users, [])

    @of_a_journal
    async def test_an_erased_user_is_one_that_the_journal_never_knew(
        self, journal: Journal
    ) -> None:
        await journal.append([said(n, SECRET) for n in range(1, TRIM_STEP + 3)])
        await journal.append([cursor(2), displayed(2), Settled(ALICE, EventClass.PROGRESS, 2)])
        await journal.append([said(1, "b", user=BOB)])
        await erase_user(journal)
        same((await journal.bounds(ALICE)).last, 0)
        same(await journal.open_runs(ALICE), [])
        same(await threads(journal), [])
        same(await journal.cursor(ALICE, SESSIONS[0]), None)
        same(await journal.settled(ALICE), dict.fromkeys(EventClass, 0))
        same(await names(journal, user=BOB), [ONE])
        await journal.append([said(1, "again")])
        same([each.title for each in await threads(journal)], ["again"])
