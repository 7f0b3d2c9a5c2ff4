"""Journals with whole stories in them: turns of agents, some still going on, sessions, marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import apsw
import attrs

from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import (
    EventId,
    I,
    Id,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    ToolCallId,
    UserId,
)
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.file import open_file
from greenroom.delivery.journal.sqlite.schema import DERIVED
from tests.delivery.journal.journal_conformance import cursor, displayed

EPOCH = "the-epoch"
START_MS = 1_757_371_363_000
_numbers = count(1)
IDS = IdSource(now_ms=lambda: START_MS, random_bits=lambda _: next(_numbers))
New = Callable[[type[I]], I]


def native(kind: type[I]) -> I:
    return IDS.new(kind)


def legacy(kind: type[I]) -> I:
    """An id as an older system made it, unchecked."""
    n = next(_numbers)
    forms: dict[type[Id], str] = {
        ThreadId: f"thread_websocket_factory_{START_MS + n}_{n}_{n:08x}",
        RunId: f"websocket_factory_{START_MS + n}",
        RequestId: f"req_{n:012x}",
        SessionId: f"ws_user_abc_{START_MS // 1000}_{n:08x}",
        EventId: f"event_{START_MS + n}",
        ToolCallId: f"get_costs_{START_MS + n}",
    }
    return kind.trusted(forms[kind])


TURN: list[tuple[Kind, dict[str, JSON]]] = [
    (Kind.USER_SAID, {"body": "what does it cost?"}),
    (Kind.AGENT_STARTED, {"agent": "analyst"}),
    (Kind.TOOL_EXECUTING, {"tool_name": "get_costs", "arguments": {"month": "2026-10"}}),
    (Kind.TOOL_COMPLETED, {"tool_name": "get_costs", "result": [1, 2.5, "é"], "duration_ms": 7}),
    (Kind.FINAL_REPORT, {"report": {"saving": "10%"}}),
    (Kind.AGENT_COMPLETED, {"outcome": "ok"}),
]


def turn(
    user: str, first: int, *, new: New[Id] = native, thread: ThreadId, length: int = 6
) -> Iterator[Record]:
    """The events of one turn, the first `length` of them."""
    run, request, call = new(RunId), new(RequestId), new(ToolCallId)
    for offset, (kind, data) in enumerate(TURN[:length], first):
        if kind in (Kind.TOOL_EXECUTING, Kind.TOOL_COMPLETED):
            data = {"tool_call": call, **data}
        say = f"say-{offset}" if kind is Kind.USER_SAID else None
        event = draft(
            event=EventId.trusted(new(EventId)),
            kind=kind,
            thread=thread,
            run=RunId.trusted(run),
            parent=None,
            request=RequestId.trusted(request),
            data=data if say is None else {**data, "say": say},
            say=say,
        )
        yield event.record(UserId.trusted(user), offset, START_MS + offset * 1000)


def story(user: str, turns: int, *, new: New[Id] = native) -> Iterator[Record]:
    """`turns` turns in two threads; the last one still goes on."""
    threads = [ThreadId.trusted(new(ThreadId)) for _ in range(2)]
    offset = 1
    for number in range(turns):
        length = 3 if number == turns - 1 else 6
        thread = threads[number // 2 % 2]
        yield from turn(user, offset, new=new, thread=thread, length=length)
        offset += length


def write_story(
    path: Path, *users: str, turns: int = 4, new: New[Id] = native, epoch: str = EPOCH
) -> None:
    """A journal with a story, a session and a mark for each user."""
    with closing(open_file(path, new_epoch=lambda: epoch)) as file:
        store = SqlStore(file.database)
        for user in users:
            records = list(story(user, turns, new=new))
            session = SessionId.trusted(new(SessionId))
            mark = attrs.evolve(
                displayed(2, user=UserId(user), session=session), verdict={"good": True}, note="so"
            )
            store.append([*records, cursor(3, user=UserId(user), session=session), mark])


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that stands in a journal's tables, but for what follows from the rest."""
    with closing(apsw.Connection(str(path))) as database:
        names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            str(name): database.execute(f'SELECT * FROM "{name}"').fetchall()
            for (name,) in names
            if name not in DERIVED
        }


def execute(path: Path, sql: str, *values: str | int | bytes | None) -> None:
    with closing(apsw.Connection(str(path))) as database:
        database.execute(sql, values)
