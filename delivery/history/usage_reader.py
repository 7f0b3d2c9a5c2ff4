"""Reads a journal's events for `Usage`, also while a server writes the journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias, cast

import orjson

from greenroom.delivery.errors import damaged
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.history.usage import TELLING, UsageEvent
from greenroom.delivery.journal.sql.database import Database, has_table
from greenroom.delivery.journal.sql.reader import SqlReader
from greenroom.delivery.upkeep.journal_upkeep import TellProgress, no_progress

CHUNK: Final = 5_000  # rows per look

_BACK_MS: Final = 3_600_000
_ENDS: Final = "SELECT coalesce(min(number), 1), coalesce(max(number), 1) FROM log"
_NEXT_AT: Final = "SELECT at FROM log WHERE number >= ? ORDER BY number LIMIT 1"

_TELLING: Final = ", ".join(f"'{kind}'" for kind in sorted(TELLING))
_EVENTS: Final = f"""
    SELECT number, user, run, parent, kind, at,
        EXISTS (SELECT 1 FROM cursor WHERE cursor.user = log.user
                AND cursor.start < log."offset" AND cursor."offset" >= log."offset")
        {{forgotten}},
        "offset", CASE WHEN kind IN ({_TELLING}) THEN body END
    FROM log WHERE number > ? AND number <= ? AND at >= ? ORDER BY number
"""
_FORGOTTEN: Final = """
    OR EXISTS (SELECT 1 FROM received WHERE received.user = log.user
               AND received.start < log."offset" AND received.through >= log."offset")
"""
_MARKS: Final = """
    SELECT user, "offset", stage, verdict FROM mark WHERE (user, "offset") IN (
        SELECT user, "offset" FROM log WHERE number > ? AND number <= ? AND at >= ?)
"""
_UsageRow: TypeAlias = tuple[int, str, str, str | None, str, int, int, int, bytes | None]
_MarkRow: TypeAlias = tuple[str, int, str, str]
_Marks: TypeAlias = Mapping[tuple[str, int], Sequence[tuple[str, JSON]]]


def usage_events(
    reader: SqlReader, *, since: int = 0, progress: TellProgress = no_progress
) -> Iterator[UsageEvent]:
    """The kept events from `since` (ms since the Unix epoch) on, oldest first.

    Raises the errors of `SqlReader`, and `JournalCorrupt`.
    """
    for piece in usage_pieces(reader, since=since, progress=progress):
        yield from piece


def usage_pieces(
    reader: SqlReader,
    *,
    since: int = 0,
    rows: int | None = None,
    progress: TellProgress = no_progress,
) -> Iterator[Sequence[UsageEvent]]:
    """As `usage_events`, in pieces of at most `rows` events (`CHUNK`), each read in one look."""
    size = rows or CHUNK
    with reader.look() as database:
        forgotten = _FORGOTTEN if has_table(database, "received") else ""
        sql = _EVENTS.format(forgotten=forgotten)
        first = _first_since(database, since)
    last = reader.last_number()
    for after in range(first - 1, last, size):
        with reader.look() as database:
            until = min(after + size, last)
            with database:
                found = database.execute(sql, (after, until, since)).fetchall()
                marks = database.execute(_MARKS, (after, until, since)).fetchall()
        of_events = _by_event(cast("list[_MarkRow]", marks))
        yield [_event(row, of_events) for row in cast("list[_UsageRow]", found)]
        progress("counting events", until - first + 1, last - first + 1)


def _first_since(database: Database, since: int) -> int:
    """The number of the first event that may be as young: times rise with numbers, unless a clock
    is set back, which is allowed for up to `_BACK_MS`."""
    low, high = cast("tuple[int, int]", database.execute(_ENDS).get)
    while low < high:
        middle = (low + high) // 2
        at = cast("int | None", database.execute(_NEXT_AT, (middle,)).get)
        if at is not None and at < since - _BACK_MS:
            low = middle + 1
        else:
            high = middle
    return low


def _by_event(rows: Sequence[_MarkRow]) -> _Marks:
    marks = defaultdict[tuple[str, int], list[tuple[str, JSON]]](list)
    for user, offset, stage, verdict in rows:
        marks[user, offset].append((stage, orjson.loads(verdict)))
    return marks


def _event(row: _UsageRow, marks: _Marks) -> UsageEvent:
    number, user, run, parent, kind, at, received, offset, body = row
    stage, verdicts = _reports(bool(received), marks.get((user, offset), ()))
    try:
        data = orjson.loads(body)["data"] if body is not None else {}
        return UsageEvent(user, run, parent, Kind(kind), at, stage, data, verdicts)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(f"the event with number {number}", error) from error


def _reports(
    received: bool, marks: Sequence[tuple[str, JSON]]
) -> tuple[ReceiptStage, Sequence[JSON]]:
    """The furthest stage and the verdicts. As in `stages`, each stage implies those before it."""
    if not marks:
        return (ReceiptStage.RECEIVED if received else ReceiptStage.ACCEPTED), ()
    verdicts = [verdict for stage, verdict in marks if stage == "confirmed"]
    return (ReceiptStage.CONFIRMED if verdicts else ReceiptStage.DISPLAYED), verdicts
