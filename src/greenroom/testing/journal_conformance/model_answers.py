"""What a journal answers, beside what its model knows."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import rule

from greenroom.delivery.events.ids import AskId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Bounds, Record, ThreadSummary
from greenroom.delivery.journal.reads import ReadAskEnd, ReadOpenAsks
from greenroom.testing.journal_conformance.entries import ALICE, ASKS, BOB, SESSIONS, THREADS
from greenroom.testing.journal_conformance.model import JournalModel
from greenroom.testing.same import same

USERS = st.sampled_from([ALICE, BOB])
OFFSETS = st.integers(0, 30)
SAYS = st.sampled_from(["say-1", "say-2"])


class JournalAnswers(JournalModel):
    """The rules that ask."""

    @rule(user=USERS, after=OFFSETS, limit=st.integers(1, 8), max_bytes=st.integers(1, 90))
    def read(self, user: UserId, after: int, limit: int, max_bytes: int) -> None:
        found = self.sync.call(
            partial(self.journal.read, user, after=after, limit=limit, max_bytes=max_bytes)
        )
        expected = [r for r in self.kept[user] if r.offset > after][:limit]
        while len(expected) > 1 and sum(len(r.body) for r in expected) > max_bytes:
            expected.pop()
        same(found, expected)

    @rule(
        user=USERS,
        thread=st.sampled_from([None, *THREADS]),
        before=st.none() | OFFSETS,
        limit=st.integers(1, 8),
        max_bytes=st.integers(1, 60),
    )
    def history(
        self, user: UserId, thread: ThreadId | None, before: int | None, limit: int, max_bytes: int
    ) -> None:
        history = partial(self.journal.history, user, thread=thread, before=before, limit=limit)
        page = self.sync.call(partial(history, max_bytes=max_bytes))
        expected = [
            r
            for r in self.kept[user]
            if (thread is None or r.thread == thread)
            and (before is None or r.offset < before)
            and r.kind is not Kind.SUPERSEDED
        ]
        fitting = expected[-limit:]
        while len(fitting) > 1 and sum(len(r.body) for r in fitting) > max_bytes:
            fitting.pop(0)
        same(fitting, page.records)
        same(page.more, len(expected) > len(fitting))

    @rule(user=USERS)
    def bounds(self, user: UserId) -> None:
        last = self.last(user)
        expected = Bounds(self.trimmed[user] + 1 if last else 0, last)
        same(self.sync.call(partial(self.journal.bounds, user)), expected)

    @rule(user=USERS)
    def threads(self, user: UserId) -> None:
        by_thread: dict[ThreadId, list[Record]] = defaultdict(list)
        for entry in self.kept[user]:
            by_thread[entry.thread].append(entry)
        expected = [
            ThreadSummary(thread, own[0].offset, own[-1].offset, len(own), own[-1].at)
            for thread, own in by_thread.items()
        ]
        same(self.sync.call(partial(self.journal.threads, user)), expected)

    @rule(user=USERS, say=SAYS)
    def said(self, user: UserId, say: str) -> None:
        expected = next(((r.run, r.thread) for r in self.kept[user] if r.say == say), None)
        found = self.sync.call(partial(self.journal.said, user, say))
        same(expected, found and (found.run, found.thread))

    @rule(user=USERS)
    def open_runs(self, user: UserId) -> None:
        expected = [(r.run, r.thread, r.parent) for r in self.open[user].values()]
        found = self.sync.call(partial(self.journal.open_runs, user))
        same(expected, [(run.run, run.thread, run.parent) for run in found])

    @rule(user=USERS)
    def open_asks(self, user: UserId) -> None:
        asked = [events[0] for events in self.asks[user].values() if len(events) == 1]
        expected = [each for each in asked if each.offset > self.trimmed[user]]
        question = ReadOpenAsks(user)
        same(self.sync.call(partial(self.answer, question)), expected)

    @rule(user=USERS, ask=st.sampled_from(ASKS))
    def ask_end(self, user: UserId, ask: AskId) -> None:
        events = self.asks[user].get(ask, [])
        question = ReadAskEnd(user, ask)
        found = self.sync.call(partial(self.answer, question))
        same(found, events[1] if len(events) == 2 else None)

    @rule(user=USERS, session=st.sampled_from(SESSIONS))
    def cursor(self, user: UserId, session: SessionId) -> None:
        expected = self.cursors.get((user, session))
        same(self.sync.call(partial(self.journal.cursor, user, session)), expected)

    @rule(user=USERS, offset=OFFSETS)
    def sent_to(self, user: UserId, offset: int) -> None:
        own = [each for key, each in sorted(self.cursors.items()) if key[0] == user]
        expected = [each for each in own if each.start < offset <= each.sent]
        same(self.sync.call(partial(self.journal.sent_to, user, offset)), expected)

    @rule(user=USERS, after=OFFSETS, limit=st.integers(1, 8))
    def reached(self, user: UserId, after: int, limit: int) -> None:
        cursors = [each for key, each in self.cursors.items() if key[0] == user]
        marked = {(key[1], mark.stage) for key, mark in self.marked.items() if key[0] == user}
        expected = [
            (
                each.offset,
                each.offset in self.received[user]
                or any(c.start < each.offset <= c.offset for c in cursors),
                any((each.offset, stage) in marked for stage in ("displayed", "confirmed")),
                (each.offset, "confirmed") in marked,
            )
            for each in self.kept[user]
            if each.offset > after
        ]
        found = self.sync.call(partial(self.journal.reached, user, after=after, limit=limit))
        told = [(r.offset, r.received, r.displayed, r.confirmed) for r in found]
        same(told, expected[:limit])

    @rule(user=USERS, after=OFFSETS)
    def received_through(self, user: UserId, after: int) -> None:
        cursors = [each for key, each in self.cursors.items() if key[0] == user]
        through = after = max(after, self.trimmed[user])
        while through + 1 in self.received[user] or any(
            c.start < through + 1 <= c.offset for c in cursors
        ):
            through += 1
        found = self.sync.call(partial(self.journal.received_through, user, after))
        same(found, through)

    @rule(user=USERS, place=OFFSETS)
    def find(self, user: UserId, place: int) -> None:
        if place < len(self.kept[user]):
            kept = self.kept[user][place]
            same(self.sync.call(partial(self.journal.find, kept.id)), kept)

    @rule(user=USERS, after=OFFSETS, limit=st.integers(1, 4))
    def marks(self, user: UserId, after: int, limit: int) -> None:
        own = [mark for key, mark in sorted(self.marked.items()) if key[0] == user]
        past = [mark for mark in own if mark.offset > after]
        expected = past[:limit]
        expected += [m for m in past[limit:] if m.offset == expected[-1].offset]
        same(self.sync.call(partial(self.journal.marks, user, after=after, limit=limit)), expected)
