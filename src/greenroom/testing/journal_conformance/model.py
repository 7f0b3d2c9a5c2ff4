"""A plain model of a journal, beside the journal that must answer as it does."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from greenroom.delivery.events.asks import ask_of
from greenroom.delivery.events.draft import forgotten
from greenroom.delivery.events.ids import AskId, RunId, SessionId, UserId
from greenroom.delivery.events.kinds import ASK_ENDS, PROGRESS, EventClass, Kind
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS, Cursor, Entry, Mark, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question
from greenroom.testing.journal_conformance.entries import ALICE, BOB
from greenroom.testing.journal_conformance.sync_journal import OpenJournal, SyncJournal

R = TypeVar("R")


class JournalModel(RuleBasedStateMachine):
    """Everything appended, and how far each user is trimmed. `nodes`: how many have the journal
    open; each call is one's, and what it tells is the same for all."""

    open_journal: ClassVar[OpenJournal]
    durable: ClassVar[bool]
    nodes: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.others = [self.new_node() for _ in range(self.nodes - 1)]
        self.sync = self.new_node()
        self.kept: dict[UserId, list[Record]] = defaultdict(list)
        self.trimmed: dict[UserId, int] = defaultdict(int)
        self.forgotten: dict[UserId, int] = defaultdict(int)  # progress events through here
        self.open: dict[UserId, dict[RunId, Record]] = {ALICE: {}, BOB: {}}
        self.asks: dict[UserId, dict[AskId, list[Record]]] = {ALICE: {}, BOB: {}}
        self.cursors: dict[tuple[UserId, SessionId], Cursor] = {}
        self.received: dict[UserId, set[int]] = defaultdict(set)  # by forgotten sessions
        self.settled = {user: dict.fromkeys(EventClass, 0) for user in (ALICE, BOB)}
        self.marked: dict[tuple[UserId, int, SessionId], Mark] = {}

    def new_node(self) -> SyncJournal:
        return SyncJournal(type(self).open_journal, Path(self.directory.name))

    def teardown(self) -> None:
        for each in (self.sync, *self.others):
            each.close()
        self.directory.cleanup()

    @property
    def journal(self) -> Journal:
        return self.sync.journal

    def last(self, user: UserId) -> int:
        return self.trimmed[user] + len(self.kept[user])

    async def answer(self, question: Question[R]) -> R:
        """The journal's answer."""
        return await self.journal.ask(question).wait()

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
        """What was reached is reached, unless the session begins again beyond a gap."""
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
