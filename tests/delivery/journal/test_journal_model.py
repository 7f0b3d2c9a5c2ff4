"""Every backend against a plain model: whatever the order of calls, the answers agree."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.asks import ask_of
from greenroom.delivery.events.draft import forgotten
from greenroom.delivery.events.ids import AskId, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import ASK_ENDS, PROGRESS, EventClass, Kind
from greenroom.delivery.events.record import (
    RUN_ENDS,
    RUN_OPENS,
    Bounds,
    Cursor,
    Entry,
    Mark,
    Record,
    Settled,
    ThreadSummary,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadAskEnd, ReadOpenAsks
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs, SweptTo
from tests.delivery.journal.journal_conformance import (
    ALICE,
    ASKS,
    BACKENDS,
    BOB,
    DURABLE,
    RUNS,
    SESSIONS,
    THREADS,
    OpenJournal,
    cursor,
    displayed,
    record,
)

R = TypeVar("R")
USERS = st.sampled_from([ALICE, BOB])
OFFSETS = st.integers(0, 30)
KINDS = st.sampled_from([kind for kind in Kind if kind is not Kind.SUPERSEDED])  # never appended
SAYS = st.sampled_from(["say-1", "say-2"])


class Portal:
    """A journal in a trio run of its own thread, called from plain code."""

    def __init__(self, open_journal: OpenJournal, directory: Path) -> None:
        self._started: Future[tuple[Journal, trio.lowlevel.TrioToken, trio.Event]] = Future()
        self._thread = threading.Thread(target=self._live, args=(open_journal, directory))
        self._thread.start()
        self.journal, self._token, self._stop = self._started.result()

    def _live(self, open_journal: OpenJournal, directory: Path) -> None:
        try:
            trio.run(self._main, open_journal, directory)
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _main(self, open_journal: OpenJournal, directory: Path) -> None:
        stop = trio.Event()
        async with open_journal(directory) as journal:
            self._started.set_result((journal, trio.lowlevel.current_trio_token(), stop))
            await stop.wait()

    def call(self, work: Callable[[], Awaitable[R]]) -> R:
        return trio.from_thread.run(work, trio_token=self._token)

    def close(self) -> None:
        self._token.run_sync_soon(self._stop.set)
        self._thread.join()


class JournalMachine(RuleBasedStateMachine):
    """The model: everything appended, and how far each user is trimmed."""

    open_journal: OpenJournal
    durable: bool

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.portal = Portal(type(self).open_journal, Path(self.directory.name))
        self.kept: dict[UserId, list[Record]] = defaultdict(list)
        self.trimmed: dict[UserId, int] = defaultdict(int)
        self.forgotten: dict[UserId, int] = defaultdict(int)  # progress events through here
        self.open: dict[UserId, dict[RunId, Record]] = {ALICE: {}, BOB: {}}
        self.asks: dict[UserId, dict[AskId, list[Record]]] = {ALICE: {}, BOB: {}}
        self.cursors: dict[tuple[UserId, SessionId], Cursor] = {}
        self.received: dict[UserId, set[int]] = defaultdict(set)  # by forgotten sessions
        self.settled = {user: dict.fromkeys(EventClass, 0) for user in (ALICE, BOB)}
        self.marked: dict[tuple[UserId, int, SessionId], Mark] = {}

    def teardown(self) -> None:
        self.portal.close()
        self.directory.cleanup()

    @property
    def journal(self) -> Journal:
        return self.portal.journal

    def last(self, user: UserId) -> int:
        return self.trimmed[user] + len(self.kept[user])

    @rule(data=st.data(), size=st.integers(1, 6), gap=st.sampled_from([0, 0, 0, 0, 1, -1]))
    def append(self, data: st.DataObject, size: int, gap: int) -> None:
        lasts = {user: self.last(user) for user in (ALICE, BOB)}
        batch: list[Entry] = [self.draw_entry(data, lasts) for _ in range(size)]
        if gap:
            batch.append(record(lasts[ALICE] + 1 + gap))
        with suppress(OutOfSequence):
            self.portal.call(lambda: self.journal.append(batch))
            assert not gap
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

    def keep(self, batch: list[Entry]) -> None:
        for entry in batch:
            if isinstance(entry, Record):
                self.kept[entry.user].append(entry)
                self.follow_run(entry)
                self.follow_ask(entry)
            elif isinstance(entry, Mark) and self.is_whole(entry.user, entry.offset):
                self.marked[entry.user, entry.offset, entry.session] = entry
            elif isinstance(entry, Cursor):
                key = (entry.user, entry.session)
                self.cursors[key] = self.merged(self.cursors.get(key), entry)

    def is_whole(self, user: UserId, offset: int) -> bool:
        return all(
            each.kind is not Kind.SUPERSEDED for each in self.kept[user] if each.offset == offset
        )

    def merged(self, known: Cursor | None, new: Cursor) -> Cursor:
        """What was reached is reached, unless the session begins anew beyond a gap."""
        if known is None or new.start > known.sent:
            return new
        start, offset = min(known.start, new.start), max(known.offset, new.offset)
        sent = max(known.sent, new.sent)
        return Cursor(new.user, new.session, start, offset, sent, new.at)

    def follow_run(self, entry: Record) -> None:
        if entry.kind in RUN_OPENS:
            self.open[entry.user].setdefault(entry.run, entry)
        elif entry.kind in RUN_ENDS:
            self.open[entry.user].pop(entry.run, None)

    def follow_ask(self, entry: Record) -> None:
        asks = self.asks[entry.user]
        if entry.kind is Kind.INPUT_REQUESTED:
            asks.setdefault(ask_of(entry), [entry])
        elif entry.kind in ASK_ENDS and len(asks.get(ask_of(entry), ())) == 1:
            asks[ask_of(entry)].append(entry)

    @rule(user=USERS, through=OFFSETS)
    def trim(self, user: UserId, through: int) -> None:
        gone = self.portal.call(lambda: self.journal.trim(user, through=through))
        expected = [r for r in self.kept[user] if r.offset <= through]
        assert len(expected) == gone
        self.forget(user, gone)

    def forget(self, user: UserId, gone: int) -> None:
        self.kept[user] = self.kept[user][gone:]
        self.trimmed[user] += gone
        trimmed = self.trimmed[user]
        for ask, events in list(self.asks[user].items()):
            if len(events) == 2 and events[1].offset <= trimmed:
                del self.asks[user][ask]
        self.marked = {
            key: mark
            for key, mark in self.marked.items()
            if mark.user != user or mark.offset > trimmed
        }

    @rule(user=USERS, event_class=st.sampled_from(EventClass), through=OFFSETS)
    def settle(self, user: UserId, event_class: EventClass, through: int) -> None:
        through = min(through, self.last(user))
        self.portal.call(lambda: self.journal.append([Settled(user, event_class, through)]))
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
            place = self.portal.call(partial(self.journal.sweep, cutoffs, place)).next
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

    def forget_progress(self, user: UserId, number: int) -> None:
        places = [each for each in self.kept[user] if each.offset > self.forgotten[user]][:number]
        for each in places:
            self.forgotten[user] = each.offset
            if each.kind in PROGRESS:
                self.kept[user][each.offset - self.trimmed[user] - 1] = forgotten(each)
        self.marked = {
            key: mark for key, mark in self.marked.items() if self.is_whole(mark.user, mark.offset)
        }

    def due(self, user: UserId, before: int, keep: int | None, *, after: int = 0) -> int:
        """How many of the oldest events are due, have their outcome, and are of an ended run."""
        number = 0
        for each in (each for each in self.kept[user] if each.offset > after):
            old = each.offset < before or (
                keep is not None and each.offset + keep <= self.last(user)
            )
            has_outcome = each.offset <= min(self.settled[user].values())
            if not old or not has_outcome or each.run in self.open[user]:
                break
            number += 1
        return number

    @rule()
    def reopen(self) -> None:
        if self.durable:
            epoch = self.journal.epoch
            self.portal.close()
            self.portal = Portal(type(self).open_journal, Path(self.directory.name))
            assert epoch == self.journal.epoch

    @rule(user=USERS, after=OFFSETS, limit=st.integers(1, 8), max_bytes=st.integers(1, 90))
    def read(self, user: UserId, after: int, limit: int, max_bytes: int) -> None:
        found = self.portal.call(
            lambda: self.journal.read(user, after=after, limit=limit, max_bytes=max_bytes)
        )
        expected = [r for r in self.kept[user] if r.offset > after][:limit]
        while len(expected) > 1 and sum(len(r.body) for r in expected) > max_bytes:
            expected.pop()
        assert expected == found

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
        page = self.portal.call(
            lambda: self.journal.history(
                user, thread=thread, before=before, limit=limit, max_bytes=max_bytes
            )
        )
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
        assert fitting == page.records
        assert page.more == (len(expected) > len(fitting))

    @rule(user=USERS)
    def bounds(self, user: UserId) -> None:
        last = self.last(user)
        expected = Bounds(self.trimmed[user] + 1 if last else 0, last)
        assert expected == self.portal.call(lambda: self.journal.bounds(user))

    @rule(user=USERS)
    def threads(self, user: UserId) -> None:
        by_thread: dict[ThreadId, list[Record]] = defaultdict(list)
        for entry in self.kept[user]:
            by_thread[entry.thread].append(entry)
        expected = [
            ThreadSummary(thread, own[0].offset, own[-1].offset, len(own), own[-1].at)
            for thread, own in by_thread.items()
        ]
        assert expected == self.portal.call(lambda: self.journal.threads(user))

    @rule(user=USERS, say=SAYS)
    def said(self, user: UserId, say: str) -> None:
        expected = next(((r.run, r.thread) for r in self.kept[user] if r.say == say), None)
        found = self.portal.call(lambda: self.journal.said(user, say))
        assert expected == (found and (found.run, found.thread))

    @rule(user=USERS)
    def open_runs(self, user: UserId) -> None:
        expected = [(r.run, r.thread, r.parent) for r in self.open[user].values()]
        found = self.portal.call(lambda: self.journal.open_runs(user))
        assert expected == [(run.run, run.thread, run.parent) for run in found]

    @rule(user=USERS)
    def open_asks(self, user: UserId) -> None:
        asked = [events[0] for events in self.asks[user].values() if len(events) == 1]
        expected = [each for each in asked if each.offset > self.trimmed[user]]
        question = ReadOpenAsks(user)
        assert expected == self.portal.call(lambda: self.journal.ask(question).wait())

    @rule(user=USERS, ask=st.sampled_from(ASKS))
    def ask_end(self, user: UserId, ask: AskId) -> None:
        events = self.asks[user].get(ask, [])
        question = ReadAskEnd(user, ask)
        found = self.portal.call(lambda: self.journal.ask(question).wait())
        assert found == (events[1] if len(events) == 2 else None)

    @rule(user=USERS, session=st.sampled_from(SESSIONS))
    def cursor(self, user: UserId, session: SessionId) -> None:
        expected = self.cursors.get((user, session))
        assert expected == self.portal.call(lambda: self.journal.cursor(user, session))

    @rule(user=USERS, offset=OFFSETS)
    def sent_to(self, user: UserId, offset: int) -> None:
        own = [each for key, each in sorted(self.cursors.items()) if key[0] == user]
        expected = [each for each in own if each.start < offset <= each.sent]
        assert expected == self.portal.call(lambda: self.journal.sent_to(user, offset))

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
        found = self.portal.call(lambda: self.journal.reached(user, after=after, limit=limit))
        told = [(r.offset, r.received, r.displayed, r.confirmed) for r in found]
        assert expected[:limit] == told

    @rule(user=USERS, after=OFFSETS)
    def received_through(self, user: UserId, after: int) -> None:
        cursors = [each for key, each in self.cursors.items() if key[0] == user]
        through = after = max(after, self.trimmed[user])
        while through + 1 in self.received[user] or any(
            c.start < through + 1 <= c.offset for c in cursors
        ):
            through += 1
        found = self.portal.call(lambda: self.journal.received_through(user, after))
        assert through == found

    @rule(user=USERS, place=OFFSETS)
    def find(self, user: UserId, place: int) -> None:
        if place < len(self.kept[user]):
            kept = self.kept[user][place]
            assert kept == self.portal.call(lambda: self.journal.find(kept.id))

    @rule(user=USERS, after=OFFSETS, limit=st.integers(1, 4))
    def marks(self, user: UserId, after: int, limit: int) -> None:
        own = [mark for key, mark in sorted(self.marked.items()) if key[0] == user]
        past = [mark for mark in own if mark.offset > after]
        expected = past[:limit]
        expected += [m for m in past[limit:] if m.offset == expected[-1].offset]
        assert expected == self.portal.call(
            lambda: self.journal.marks(user, after=after, limit=limit)
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_journal_answers_as_its_model(backend: str) -> None:
    machine = type(
        f"{backend.title()}JournalMachine",
        (JournalMachine,),
        {"open_journal": staticmethod(BACKENDS[backend]), "durable": backend in DURABLE},
    )
    examples = 20 if backend == "postgres" else 60  # each has to wait for a server
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )
