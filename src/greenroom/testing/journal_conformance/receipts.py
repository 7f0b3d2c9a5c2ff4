"""What every journal keeps of the delivery of events: cursors, marks, attempts, dead letters."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.ids import ConnectionId, EventId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import (
    Attempt,
    Cursor,
    DeadLetter,
    Settled,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    BOB,
    IDS,
    SESSIONS,
    confirmed,
    cursor,
    displayed,
    offset_of,
    record,
    records,
)
from greenroom.testing.same import same

CONNECTION = IDS.new(ConnectionId)


def attempt(after: int, through: int, number: int = 1) -> Attempt:
    """A redelivery of alice's events past `after` and through `through`."""
    return Attempt(ALICE, SESSIONS[0], CONNECTION, after, through, number, at=number)


def letter(offset: int, *, user: UserId = ALICE) -> DeadLetter:
    """A dead letter of an event that was sent once."""
    kind, tries = Kind.FINAL_REPORT, [attempt(0, offset)]
    return DeadLetter(user, offset, IDS.new(EventId), kind, "dead_lettered", tries, at=9)


class ReceiptClaims(JournalBackend):
    """Claims about how far events came."""

    @of_a_journal
    async def test_a_cursor_never_goes_back(self, journal: Journal) -> None:
        await journal.append([cursor(5), cursor(3), cursor(9, session=SESSIONS[1])])
        same(await offset_of(journal, SESSIONS[0]), 5)
        await journal.append([cursor(4)])
        same(await offset_of(journal, SESSIONS[0]), 5)
        await journal.append([cursor(6)])
        same(await offset_of(journal, SESSIONS[0]), 6)
        same(await offset_of(journal, SESSIONS[1]), 9)

    @of_a_journal
    async def test_marks_come_back_by_offset_and_the_last_verdict_counts(
        self, journal: Journal
    ) -> None:
        await journal.append(records(1, 3))
        await journal.append([confirmed(2, verdict="bad"), displayed(3), displayed(2)])
        await journal.append([confirmed(2, verdict="good", note="after all")])
        expected = [confirmed(2, verdict="good", note="after all"), displayed(2), displayed(3)]
        same(await journal.marks(ALICE, after=1, limit=10), expected)
        same(await journal.marks(ALICE, after=2, limit=10), [displayed(3)])

    @of_a_journal
    async def test_a_page_of_marks_never_splits_an_offset(self, journal: Journal) -> None:
        other = SESSIONS[1]
        marks = [displayed(1), displayed(2), displayed(2, session=other), displayed(3)]
        await journal.append(marks)
        same(await journal.marks(ALICE, after=0, limit=1), marks[:1])
        same(await journal.marks(ALICE, after=0, limit=2), marks[:3])
        same(await journal.marks(ALICE, after=2, limit=2), marks[3:])

    @of_a_journal
    async def test_a_cursor_grows_to_both_sides_and_begins_anew_beyond_a_gap(
        self, journal: Journal
    ) -> None:
        await journal.append([cursor(5, start=2, sent=7), cursor(4, start=1), cursor(7, start=7)])
        same(await journal.cursor(ALICE, SESSIONS[0]), Cursor(ALICE, SESSIONS[0], 1, 7, 7, at=7))
        await journal.append([cursor(9, start=8)])
        same(await journal.cursor(ALICE, SESSIONS[0]), Cursor(ALICE, SESSIONS[0], 8, 9, 9, at=9))

    @of_a_journal
    async def test_an_event_names_the_sessions_it_was_sent_to(self, journal: Journal) -> None:
        one, other = cursor(3, sent=5), cursor(8, start=4, session=SESSIONS[1])
        await journal.append([one, other, cursor(9, user=BOB)])
        for offset, sessions in ((3, [one]), (5, [one, other]), (6, [other]), (9, [])):
            same(await journal.sent_to(ALICE, offset), sessions)

    @of_a_journal
    async def test_dead_letters_come_by_birth_page_by_page_and_can_be_dropped(
        self, journal: Journal
    ) -> None:
        letters = [letter(1), letter(2, user=BOB), letter(3)]
        await journal.append(letters[::-1])
        same(await journal.dead_letters(limit=2), letters[:2])
        same(await journal.dead_letters(after=letters[1].event, limit=9), letters[2:])
        same(await journal.dead_letters(user=ALICE, limit=9), [letters[0], letters[2]])
        same(await journal.dead_letter(letters[1].event), letters[1])
        same(await journal.drop_dead_letter(letters[1].event), True)
        same(await journal.drop_dead_letter(letters[1].event), False)
        same(await journal.dead_letter(letters[1].event), None)

    @of_a_journal
    async def test_a_dead_letter_is_kept_once_for_its_event(self, journal: Journal) -> None:
        first = letter(1)
        again = attrs.evolve(first, at=10)
        await journal.append([first, again])
        same(await journal.dead_letters(limit=9), [again])

    @of_a_journal
    async def test_attempts_are_kept_until_every_class_is_settled(self, journal: Journal) -> None:
        tries = [attempt(0, 4), attempt(2, 4, number=2), attempt(2, 6, number=3)]
        await journal.append(tries)
        same(await journal.attempts(ALICE, 2), tries[:1])
        same(await journal.attempts(ALICE, 3), tries)
        same(await journal.attempts(ALICE, 6), tries[2:])
        await journal.append([Settled(ALICE, EventClass.CRITICAL, 5)])
        same(await journal.attempts(ALICE, 3), tries)
        await journal.append([Settled(ALICE, EventClass.PROGRESS, 4)])
        same(await journal.attempts(ALICE, 3), tries[2:])

    @of_a_journal
    async def test_what_is_settled_never_goes_back(self, journal: Journal) -> None:
        progress = EventClass.PROGRESS
        same(dict(await journal.settled(ALICE)), {EventClass.CRITICAL: 0, progress: 0})
        await journal.append([Settled(ALICE, progress, 5), Settled(ALICE, progress, 3)])
        same(dict(await journal.settled(ALICE)), {EventClass.CRITICAL: 0, progress: 5})

    @of_a_journal
    async def test_tells_the_event_at_an_offset_and_how_far_another_log_is_the_same(
        self, journal: Journal
    ) -> None:
        kept = records(1, 6)
        unseen = [IDS.new(EventId) for _ in range(4)]  # of a log that went on from the third event
        fresh = [record(offset) for offset in range(4, 7)]
        await journal.append([*kept[:3], *fresh])
        same(await journal.event_at(ALICE, 3), kept[2].id)
        same(await journal.event_at(ALICE, 7), None)
        same(await journal.event_at(BOB, 1), None)

        async def agreed(offset: int, event: EventId) -> int:
            return await journal.agrees_through(ALICE, offset=offset, event=event)

        same([await agreed(each.offset, each.id) for each in [*kept[:3], *fresh]], [*range(1, 7)])
        same(await agreed(5, kept[4].id), 3)
        same(await agreed(60, kept[5].id), 3)
        same(await agreed(5, unseen[0]), 3)
        await journal.trim(ALICE, through=4)
        same(await journal.event_at(ALICE, 4), None)
        same([await agreed(offset, unseen[0]) for offset in (3, 4, 5, 60)], [3, 4, 4, 4])
        same(await journal.agrees_through(BOB, offset=2, event=unseen[0]), 0)
