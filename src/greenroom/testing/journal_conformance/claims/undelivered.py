"""What every journal tells of events without an outcome, and that each answer is bounded."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.ids import ConnectionId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Attempt, Page, Record, Settled
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    BOB,
    IDS,
    SESSIONS,
    THREADS,
    confirmed,
    cursor,
    displayed,
    record,
    records,
)
from greenroom.testing.same import same

DAY = 24 * 3600 * 1000


async def since(journal: Journal) -> list[int]:
    """From when on each of alice's events has its time."""
    return [each.since for each in await journal.reached(ALICE, after=0, limit=99)]


def at(offset: int, moment: int) -> Record:
    return attrs.evolve(record(offset), at=moment)


class UndeliveredClaims(JournalBackend):
    """Claims about what has no outcome yet."""

    @of_a_journal
    async def test_users_with_something_overdue_are_named_the_longest_waiting_first(
        self, journal: Journal
    ) -> None:
        critical, progress = EventClass.CRITICAL, EventClass.PROGRESS
        await journal.append([*records(1, 5), record(1, user=BOB, kind=Kind.FINAL_REPORT)])
        await journal.append([attrs.evolve(record(2, user=BOB), at=3)])

        async def overdue(of: EventClass, before: int, limit: int = 5) -> list[UserId]:
            found = await journal.overdue(of, before=before, limit=limit)
            return list(found.users)

        same([await overdue(critical, 1), await overdue(progress, 1)], [[], []])
        same(await overdue(critical, 2), [BOB])
        same(await overdue(progress, 4), [ALICE, BOB])
        await journal.append([Settled(ALICE, progress, 4)])
        same(await overdue(progress, 5), [BOB])
        same(await overdue(progress, 6), [BOB, ALICE])
        await journal.append([Settled(ALICE, progress, 5), Settled(BOB, critical, 2)])
        same(await overdue(progress, 99), [BOB])
        same(await overdue(critical, 99), [])
        await journal.append([record(6)])
        same(await overdue(progress, 99), [BOB, ALICE])

    @of_a_journal
    async def test_a_look_for_overdue_events_goes_as_many_steps_as_it_may(
        self, journal: Journal
    ) -> None:
        names = [UserId(f"user{number}") for number in range(9)]
        await journal.append([attrs.evolve(record(1, user=user), at=7) for user in names])
        found, after = list[UserId](), None
        for _ in range(4):
            page = await journal.overdue(EventClass.PROGRESS, before=8, after=after, limit=3)
            same(len(page.users) <= 3, True, "at most 3 steps")
            found, after = [*found, *page.users], page.after
            if after is None:
                break
        same(found, names)

    @of_a_journal
    async def test_what_is_trimmed_is_overdue_no_more(self, journal: Journal) -> None:
        await journal.append([*records(1, 3), record(1, user=BOB)])
        await journal.trim(ALICE, through=2)
        await journal.trim(BOB, through=1)
        same((await journal.overdue(EventClass.PROGRESS, before=3, limit=9)).users, [])
        same((await journal.overdue(EventClass.PROGRESS, before=4, limit=9)).users, [ALICE])

    @of_a_journal
    async def test_a_page_of_history_is_bounded_by_bytes_and_has_one_record_at_least(
        self, journal: Journal
    ) -> None:
        thread = THREADS[1]
        kept = [record(offset, body=b"x" * 100, thread=thread) for offset in range(1, 6)]
        await journal.append([*kept, record(6, body=b"x" * 1000, thread=thread)])
        for which in (None, thread):

            async def page(
                before: int | None, limit: int = 9, which: ThreadId | None = which
            ) -> Page:
                return await journal.history(
                    ALICE, thread=which, before=before, limit=limit, max_bytes=300
                )

            same([each.offset for each in (await page(None)).records], [6])
            same((await page(None)).more, True)
            same([each.offset for each in (await page(6)).records], [3, 4, 5])
            same((await page(6)).more, True)
            same(await page(4), Page(kept[:3], more=False))
            same(await page(4, limit=3), Page(kept[:3], more=False))
            same(await page(4, limit=2), Page(kept[1:3], more=True))

    @of_a_journal
    async def test_how_far_events_got_is_told_for_many_at_once(self, journal: Journal) -> None:
        await journal.append([*records(1, 5), record(6, kind=Kind.FINAL_REPORT)])
        await journal.append([cursor(1), cursor(4, session=SESSIONS[1], start=2, sent=6)])
        await journal.append([displayed(4), displayed(5), confirmed(5)])
        found = await journal.reached(ALICE, after=0, limit=10)
        same([each.offset for each in found], [1, 2, 3, 4, 5, 6])
        same([each.received for each in found], [True, False, True, True, False, False])
        same([each.displayed for each in found], [False, False, False, True, True, False])
        same([each.confirmed for each in found], [False] * 4 + [True, False])
        same([each.since for each in found], [1, 2, 3, 4, 5, 6])
        same(found[-1].event_class, EventClass.CRITICAL)
        same([each.offset for each in await journal.reached(ALICE, after=4, limit=1)], [5])
        await journal.trim(ALICE, through=3)
        same([each.offset for each in await journal.reached(ALICE, after=0, limit=2)], [4, 5])

    @of_a_journal
    async def test_what_was_received_from_end_to_end_is_told_at_once(
        self, journal: Journal
    ) -> None:
        await journal.append(records(1, 9))
        same(await journal.received_through(ALICE, 0), 0)
        await journal.append([cursor(2), cursor(5, session=SESSIONS[1], start=1)])
        same(await journal.received_through(ALICE, 0), 5)
        same(await journal.received_through(ALICE, 3), 5)
        same(await journal.received_through(ALICE, 6), 6)

    @of_a_journal
    async def test_the_sessions_told_of_one_event_are_bounded_and_receivers_come_first(
        self, journal: Journal
    ) -> None:
        sessions = sorted([IDS.new(SessionId) for _ in range(5)])
        await journal.append(records(1, 2))
        await journal.append([cursor(1, session=each, sent=2) for each in sessions[:4]])
        await journal.append([cursor(2, session=sessions[4])])
        found = await journal.sent_to(ALICE, 2, limit=3)
        same([each.session for each in found], [*sessions[:2], sessions[4]])

    @of_a_journal
    async def test_the_attempts_told_of_are_bounded_and_the_first_ones(
        self, journal: Journal
    ) -> None:
        await journal.append(records(1, 4))
        tries = [
            Attempt(ALICE, SESSIONS[0], IDS.new(ConnectionId), 0, 1 + number % 4, number, at=number)
            for number in range(9)
        ]
        await journal.append(tries)
        same(await journal.attempts(ALICE, 1, limit=4), tries[:4])
        same(await journal.attempts(ALICE, 3, 4), [each for each in tries if each.through >= 3])

    @of_a_journal
    async def test_the_time_without_a_server_does_not_count(self, journal: Journal) -> None:
        await journal.alive(0, after=0)
        await journal.append([at(1, 10_000), at(2, 50_000)])
        await journal.alive(60_000, after=60_000)
        await journal.alive(60_000 + 400 * DAY, after=0)  # the next server, or a clock set forward
        await journal.append([at(3, 70_000 + 400 * DAY)])
        later = 400 * DAY
        same(await since(journal), [10_000 + later, 50_000 + later, 70_000 + later])
        late = await journal.overdue(EventClass.PROGRESS, before=9_000 + later, limit=9)
        same(late.users, [])
        late = await journal.overdue(EventClass.PROGRESS, before=11_000 + later, limit=9)
        same(late.users, [ALICE])

    @of_a_journal
    async def test_a_clock_that_was_set_back_keeps_no_event_for_ever(
        self, journal: Journal
    ) -> None:
        await journal.alive(400 * DAY, after=0)
        await journal.append([at(1, 400 * DAY + 1_000)])
        await journal.alive(400 * DAY + 60_000, after=60_000)
        await journal.alive(0, after=0)
        await journal.append([at(2, 5_000)])
        same(await since(journal), [1_000 - 60_000, 5_000])
        late = await journal.overdue(EventClass.PROGRESS, before=-58_000, limit=9)
        same(late.users, [ALICE])

    @of_a_journal
    async def test_a_clock_that_is_set_while_a_server_is_at_work_is_noticed(
        self, journal: Journal
    ) -> None:
        await journal.alive(0, after=0)
        await journal.append([at(1, 10_000), at(2, 400 * DAY + 10_000)])
        await journal.alive(400 * DAY + 60_000, after=60_000)
        same(await since(journal), [400 * DAY + 10_000, 400 * DAY + 60_000], "none in the future")

    @of_a_journal
    async def test_a_moment_between_two_signs_of_life_is_no_pause(self, journal: Journal) -> None:
        await journal.alive(0, after=0)
        await journal.append([at(1, 100)])
        await journal.alive(61_000, after=60_000)
        same(await since(journal), [100])

    @of_a_journal
    async def test_a_journal_that_knows_of_no_server_goes_by_its_newest_event(
        self, journal: Journal
    ) -> None:
        await journal.append([at(1, 1_000), at(2, 5_000)])
        await journal.alive(5_000 + DAY, after=0)
        same(await since(journal), [1_000 + DAY, 5_000 + DAY])
