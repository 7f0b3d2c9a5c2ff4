"""Converts entries to rows and back (pure)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final, Literal, TypeAlias, TypeVar, cast

import orjson

from greenroom.delivery.errors import JournalTooNew
from greenroom.delivery.events.draft import forgotten
from greenroom.delivery.events.ids import (
    ConnectionId,
    EventId,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Attempt, Cursor, DeadLetter, Mark, OpenRun, Record
from greenroom.delivery.journal.undelivered import Pause, Reached, deliverable_since

W = TypeVar("W", bound=enum.StrEnum)

RECORD_COLUMNS: Final = (
    'user, "offset", id, kind, class, thread, run, parent, request, at, say, body'
)
RecordRow: TypeAlias = tuple[
    str, int, str, str, str, str, str, str | None, str, int, str | None, bytes
]
MARK_COLUMNS: Final = 'user, "offset", session, stage, verdict, note, at'
MarkRow: TypeAlias = tuple[str, int, str, str, str, str | None, int]
CURSOR_COLUMNS: Final = 'user, session, start, "offset", sent, at'
CursorRow: TypeAlias = tuple[str, str, int, int, int, int]
ATTEMPT_COLUMNS: Final = "user, session, connection, after, through, attempt, at"
AttemptRow: TypeAlias = tuple[str, str, str, int, int, int, int]
LETTER_COLUMNS: Final = 'event, user, "offset", kind, outcome, attempts, at'
LetterRow: TypeAlias = tuple[str, str, int, str, str, str, int]
Write: TypeAlias = tuple[str, Sequence[tuple[str | int | bytes | None, ...]]]
"""A statement, and the rows that it is carried out for, one after the other."""
PLACE_BODY: Final = b"{}"
"""The body, in the file, of a forgotten progress event: all that it says is in its row."""
RUN_COLUMNS: Final = "run, thread, parent, request"
RunRow: TypeAlias = tuple[str, str, str | None, str]
ReachedRow: TypeAlias = tuple[int, str, str, str, str, int, int, int | None]
"""Offset, id, kind, class, run, at, number, and whether a mark of the event is a confirmation."""


record_row: Final = cast(
    "Callable[[Record], RecordRow]",
    attrgetter(
        *("user", "offset", "id", "kind", "event_class", "thread", "run", "parent", "request"),
        *("at", "say", "body"),
    ),
)
"""The row of a record: its fields, in the order of `RECORD_COLUMNS`."""


def known(words: type[W], word: str) -> W:
    """The word of a row. Raises `JournalTooNew` for one of a newer version, which shares the
    journal with this one."""
    try:
        return words(word)
    except ValueError:
        what = "class" if words is EventClass else "kind"
        raise JournalTooNew(
            f"the journal has an event of the {what} {word!r}, which this version does not know",
            advice="upgrade this server to the version of the newest one",
        ) from None


def record_of(row: RecordRow) -> Record:
    user, offset, id_, kind, event_class, thread, run, parent, request, at, say, body = row
    record = Record(
        UserId.trusted(user),
        offset,
        EventId.trusted(id_),
        known(Kind, kind),
        known(EventClass, event_class),
        ThreadId.trusted(thread),
        RunId.trusted(run),
        _run_or_none(parent),
        RequestId.trusted(request),
        at,
        say,
        body,
    )
    if body == PLACE_BODY and record.kind is Kind.SUPERSEDED:
        return forgotten(record)
    return record


cursor_row: Final = cast(
    "Callable[[Cursor], CursorRow]",
    attrgetter("user", "session", "start", "offset", "sent", "at"),
)


def cursor_of(row: CursorRow) -> Cursor:
    user, session, *rest = row
    return Cursor(UserId.trusted(user), SessionId.trusted(session), *rest)


def attempt_row(attempt: Attempt) -> AttemptRow:
    return (
        attempt.user,
        attempt.session,
        attempt.connection,
        attempt.after,
        attempt.through,
        attempt.number,
        attempt.at,
    )


def attempt_of(row: AttemptRow) -> Attempt:
    user, session, connection, *rest = row
    return Attempt(
        UserId.trusted(user), SessionId.trusted(session), ConnectionId.trusted(connection), *rest
    )


def letter_row(letter: DeadLetter) -> LetterRow:
    attempts = orjson.dumps([attempt_row(attempt) for attempt in letter.attempts]).decode()
    return (
        letter.event,
        letter.user,
        letter.offset,
        letter.kind,
        letter.outcome,
        attempts,
        letter.at,
    )


def letter_of(row: LetterRow) -> DeadLetter:
    event, user, offset, kind, outcome, attempts, at = row
    return DeadLetter(
        UserId.trusted(user),
        offset,
        EventId.trusted(event),
        known(Kind, kind),
        cast(Literal["expired", "dead_lettered"], outcome),
        [attempt_of(attempt) for attempt in orjson.loads(attempts)],
        at,
    )


def mark_row(mark: Mark) -> MarkRow:
    verdict = orjson.dumps(mark.verdict).decode()
    return (mark.user, mark.offset, mark.session, mark.stage, verdict, mark.note, mark.at)


def mark_of(row: MarkRow) -> Mark:
    user, offset, session, stage, verdict, note, at = row
    return Mark(
        UserId.trusted(user),
        SessionId.trusted(session),
        offset,
        cast(Literal["displayed", "confirmed"], stage),
        orjson.loads(verdict),
        note,
        at,
    )


def reached_of(row: ReachedRow, pauses: Sequence[Pause], *, received: bool) -> Reached:
    offset, id_, kind, event_class, run, at, number, mark = row
    return Reached(
        offset,
        EventId.trusted(id_),
        known(Kind, kind),
        known(EventClass, event_class),
        RunId.trusted(run),
        deliverable_since(at, number, pauses),
        received=received,
        displayed=mark is not None,
        confirmed=bool(mark),
    )


def run_row(record: Record) -> tuple[str, *RunRow]:
    """The row of the run that begins with this event, after its user."""
    return (record.user, record.run, record.thread, record.parent, record.request)


def open_run_of(row: RunRow) -> OpenRun:
    run, thread, parent, request = row
    return OpenRun(
        RunId.trusted(run),
        ThreadId.trusted(thread),
        _run_or_none(parent),
        RequestId.trusted(request),
    )


def _run_or_none(run: str | None) -> RunId | None:
    return None if run is None else RunId.trusted(run)
