"""A journal against a plain model: whatever the order of calls, the answers agree."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Entry, Settled
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs, SweptTo
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    ASKS,
    BOB,
    RUNS,
    SESSIONS,
    THREADS,
    cursor,
    displayed,
    record,
)
from greenroom.testing.journal_conformance.model_answers import (
    OFFSETS,
    SAYS,
    USERS,
    JournalAnswers,
)
from greenroom.testing.journal_conformance.sync_journal import OpenJournal
from greenroom.testing.same import same

KINDS = st.sampled_from([kind for kind in Kind if kind is not Kind.SUPERSEDED])  # never appended


class JournalMachine(JournalAnswers):
    """The rules that write."""

    @rule(data=st.data(), size=st.integers(1, 6), gap=st.sampled_from([0, 0, 0, 0, 1, -1]))
    def append(self, data: st.DataObject, size: int, gap: int) -> None:
        lasts = {user: self.last(user) for user in (ALICE, BOB)}
        batch: list[Entry] = [self.draw_entry(data, lasts) for _ in range(size)]
        if gap:
            batch.append(record(lasts[ALICE] + 1 + gap))
        with suppress(OutOfSequence):
            self.sync.call(partial(self.journal.append, batch))
            same(gap, 0, "the gap of what was accepted")
            self.keep(batch)

    def draw_entry(self, data: st.DataObject, lasts: dict[UserId, int]) -> Entry:
        user = data.draw(USERS)
        session = data.draw(st.sampled_from(SESSIONS))
        match data.draw(st.sampled_from(["record", "record", "record", "cursor", "mark"])):
            case "cursor":
                start = data.draw(OFFSETS)
                offset = start + data.draw(OFFSETS)
                sent = offset + data.draw(OFFSETS)
                return cursor(offset, user=user, session=session, start=start, sent=sent)
            case "mark":
                return displayed(data.draw(OFFSETS), user=user, session=session)
        lasts[user] += 1
        kind = data.draw(KINDS)
        return record(
            lasts[user],
            user=user,
            kind=kind,
            thread=data.draw(st.sampled_from(THREADS)),
            run=data.draw(st.sampled_from(RUNS)),
            say=data.draw(SAYS) if kind is Kind.USER_SAID else None,
            ask=data.draw(st.sampled_from(ASKS)),
        )

    @rule(user=USERS, through=OFFSETS)
    def trim(self, user: UserId, through: int) -> None:
        gone = self.sync.call(partial(self.journal.trim, user, through=through))
        expected = [r for r in self.kept[user] if r.offset <= through]
        same(gone, len(expected))
        self.forget(user, gone)

    @rule(user=USERS, event_class=st.sampled_from(EventClass), through=OFFSETS)
    def settle(self, user: UserId, event_class: EventClass, through: int) -> None:
        through = min(through, self.last(user))
        self.sync.call(partial(self.journal.append, [Settled(user, event_class, through)]))
        self.settled[user][event_class] = max(through, self.settled[user][event_class])

    @rule(
        events_before=st.none() | OFFSETS,
        keep_events=st.none() | st.integers(1, 8),
        sessions_before=st.none() | OFFSETS,
        progress_before=st.none() | OFFSETS,
        keep_progress=st.none() | st.integers(1, 8),
    )
    def sweep(
        self,
        events_before: int | None,
        keep_events: int | None,
        sessions_before: int | None,
        progress_before: int | None,
        keep_progress: int | None,
    ) -> None:
        """A pass of retention. The time of an event, and of a cursor, is its offset."""
        cutoffs = Cutoffs(
            events_before, keep_events, sessions_before, progress_before, keep_progress
        )
        place: SweptTo | None = BEGINNING
        while place is not None:
            place = self.sync.call(partial(self.journal.sweep, cutoffs, place)).next
        for user in (ALICE, BOB):
            self.forget(user, self.due(user, events_before or 0, keep_events))
            after = self.forgotten[user]
            number = self.due(user, progress_before or 0, keep_progress, after=after)
            self.forget_progress(user, number)
        for (user, session), each in list(self.cursors.items()):
            has_outcomes = max(each.offset, each.sent) <= min(self.settled[user].values())
            if each.at < (sessions_before or 0) and has_outcomes:
                self.received[user] |= set(range(each.start + 1, each.offset + 1))
                del self.cursors[user, session]

    @rule()
    def reopen(self) -> None:
        if self.durable:
            epoch = self.journal.epoch
            self.sync.close()
            self.sync = self.new_node()
            same(epoch, self.journal.epoch)

    @precondition(lambda self: self.others)
    @rule()
    def go_to_another_node(self) -> None:
        self.others.append(self.sync)
        self.sync = self.others.pop(0)


def compare_with_model(
    open_journal: OpenJournal, *, durable: bool, examples: int, nodes: int = 1
) -> None:
    """Raises `AssertionError` where a journal does not answer as the model."""
    own = {"open_journal": staticmethod(open_journal), "durable": durable, "nodes": nodes}
    run_state_machine_as_test(
        type("OwnJournalMachine", (JournalMachine,), own),
        settings=settings(max_examples=examples, stateful_step_count=40, deadline=None),
    )
