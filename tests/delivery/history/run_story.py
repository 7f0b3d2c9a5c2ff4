"""The journal of one afternoon: a run with tools and a sub-run, seen in two sessions."""

from __future__ import annotations

from contextlib import closing
from itertools import count
from pathlib import Path

from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import (
    ConnectionId,
    EventId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Attempt, Cursor, DeadLetter, Entry, Mark, Record
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.file import open_file

NOON = 1_790_164_800_000  # 2026-09-23T12:00:00Z
ALICE = UserId("alice")
TOOL_CALL = "call_01m37264g0e02brvqkebz99y1a"


class Author:
    """Writes events of a user, at times given in ms since noon. The same ids each time."""

    def __init__(self, user: UserId = ALICE, salt: int = 0) -> None:
        numbers = count(salt * 1_000_003)
        self.now = 0
        self.ids = IdSource(
            now_ms=lambda: NOON + self.now, random_bits=lambda _: next(numbers) * 0x9E3779B97F4A7C15
        )
        self.user = user
        self.records: list[Record] = []
        self.thread = self.ids.new(ThreadId)
        self.request = self.ids.new(RequestId)

    def run(self) -> RunId:
        return self.ids.new(RunId)

    def tell(
        self, at: int, run: RunId, kind: Kind, parent: RunId | None = None, **data: JSON
    ) -> Record:
        self.now = at
        say = str(data["say"]) if kind is Kind.USER_SAID else None
        event = draft(
            event=self.ids.new(EventId),
            kind=kind,
            thread=self.thread,
            run=run,
            parent=parent,
            request=self.request,
            data=data,
            say=say,
        )
        self.records.append(event.record(self.user, len(self.records) + 1, NOON + at))
        return self.records[-1]


class Afternoon:
    """Alice asks about costs; a scout looks things up for the analyst; the last word is lost."""

    def __init__(self) -> None:
        author = Author()
        tell = author.tell
        self.run, self.sub_run, self.other = author.run(), author.run(), author.run()
        self.laptop, self.phone = (author.ids.new(SessionId) for _ in range(2))
        connection = author.ids.new(ConnectionId)
        tell(0, self.other, Kind.AGENT_STARTED, agent="greeter")
        tell(1_000, self.run, Kind.USER_SAID, body="Why so dear?", say="1")
        tell(1_004, self.run, Kind.AGENT_STARTED, agent="analyst")
        tell(1_100, self.other, Kind.AGENT_COMPLETED, outcome="ok")
        tell(1_310, self.run, Kind.AGENT_THINKING, text="Reading the costs")
        tool: dict[str, JSON] = {"tool_call": TOOL_CALL, "tool_name": "get_costs"}
        tell(1_500, self.run, Kind.TOOL_EXECUTING, arguments={"month": "2026-08"}, **tool)
        tell(2_750, self.run, Kind.TOOL_COMPLETED, result={"eur": 1290}, duration_ms=1_249, **tool)
        tell(2_800, self.sub_run, Kind.AGENT_STARTED, parent=self.run, agent="scout")
        tell(3_100, self.sub_run, Kind.PARTIAL_RESULT, parent=self.run, text="Idle: 3", index=0)
        tell(3_200, self.sub_run, Kind.AGENT_COMPLETED, parent=self.run, outcome="ok")
        report = tell(4_000, self.run, Kind.FINAL_REPORT, report={"saving": "10%"})
        self.lost = tell(4_020, self.run, Kind.AGENT_COMPLETED, outcome="ok")
        self.records = author.records
        self.week = 7 * 24 * 3_600_000
        tried = [
            Attempt(ALICE, self.laptop, connection, report.offset, self.lost.offset, n, NOON + at)
            for n, at in ((2, 6_000), (3, 12_000))
        ]
        self.letter = DeadLetter(
            *(ALICE, self.lost.offset, self.lost.id, self.lost.kind, "dead_lettered", tried),
            at=NOON + self.week,
        )
        self.cursors = [
            Cursor(ALICE, self.laptop, 0, report.offset, self.lost.offset, NOON + 4_060),
            Cursor(ALICE, self.phone, 6, 10, 10, NOON + 3_290),
        ]
        self.marks = [
            Mark(ALICE, self.laptop, report.offset, "displayed", None, None, NOON + 4_110),
            Mark(ALICE, self.laptop, report.offset, "confirmed", "good", "at last", NOON + 9_800),
            Mark(ALICE, self.phone, 9, "displayed", None, None, NOON + 3_180),
        ]

    @property
    def entries(self) -> list[Entry]:
        return [*self.records, *self.cursors, *self.marks, self.letter]


def write(path: Path, *entries: Entry) -> None:
    """Keep the entries in a journal, which is made unless it is there."""
    with closing(open_file(path, new_epoch=lambda: "the-epoch")) as file:
        SqlStore(file.database).append(entries)
