"""Checks that a journal is sound, and reports every flaw with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, cast

import apsw
import orjson

from greenroom.delivery.events.ids import BadId, UserId, kind_of, type_of
from greenroom.delivery.events.json_data import flaw_of
from greenroom.delivery.events.kinds import ASK_ENDS, Kind, class_of
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS
from greenroom.delivery.events.threads import ERASED_THREAD
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import PLACE_BODY, RECORD_COLUMNS, RecordRow
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.legacy.legacy_ids import recognised
from greenroom.delivery.legacy.legacy_rows import ID_COLUMNS
from greenroom.delivery.upkeep.journal_upkeep import EVERY, TellProgress, damages, no_progress
from greenroom.delivery.upkeep.sql_tables import SqlTable, count_rows, tables

_KINDS: Final = frozenset(Kind)
_COLUMNS_OF_BODY: Final = ("offset", "id", "kind", "class", "thread", "run", "request", "at")

_GAPS: Final = """
    SELECT user, "offset", expected FROM (
        SELECT log.user, log."offset", 1 + coalesce(
            lag(log."offset") OVER (PARTITION BY log.user ORDER BY log."offset"),
            (SELECT through FROM trimmed WHERE trimmed.user = log.user), 0) AS expected
        FROM log) AS found
    WHERE "offset" != expected
"""
_CHANGES: Final = """
    SELECT user, "offset", thread FROM (
        SELECT user, "offset", thread,
            lag(thread) OVER (PARTITION BY user ORDER BY "offset") AS previous FROM log)
        AS found
    WHERE thread IS DISTINCT FROM previous
"""
_UNLISTED: Final = f"""
    SELECT user, thread FROM span WHERE thread != '{ERASED_THREAD}'
    EXCEPT SELECT user, thread FROM thread
"""
_EMPTY: Final = "SELECT user, thread FROM thread EXCEPT SELECT user, thread FROM span"
_SPANS: Final = "SELECT user, first, thread FROM span"


def _listed(kinds: frozenset[Kind]) -> str:
    return ", ".join(f"'{kind}'" for kind in sorted(kinds))


# The last event that begins or ends a run decides whether it is open.
_LAST_WORDS: Final = f"""
    SELECT user, run, kind FROM log WHERE number IN (
        SELECT max(number) FROM log
        WHERE kind IN ({_listed(RUN_OPENS | RUN_ENDS)}) GROUP BY user, run)
"""
_FORGOTTEN_RUNS: Final = f"""
    SELECT user, run FROM ({_LAST_WORDS}) AS words WHERE kind IN ({_listed(RUN_OPENS)})
    EXCEPT SELECT user, run FROM open_run
"""
_ENDED_RUNS: Final = f"""
    SELECT user, run FROM ({_LAST_WORDS}) AS words WHERE kind IN ({_listed(RUN_ENDS)})
    INTERSECT SELECT user, run FROM open_run
"""
_OPEN_TOOLS: Final = f"""
    SELECT user, run, tools FROM (
        SELECT user, run, sum(CASE kind WHEN '{Kind.TOOL_EXECUTING}' THEN 1 ELSE -1 END) AS tools
        FROM log
        WHERE kind IN ('{Kind.TOOL_EXECUTING}', '{Kind.TOOL_COMPLETED}') GROUP BY user, run)
        AS found
    WHERE tools > 0 AND (user, run) IN (
        SELECT user, run FROM ({_LAST_WORDS}) AS words WHERE kind IN ({_listed(RUN_ENDS)}))
"""
_LOST_ASKS: Final = f"""
    SELECT user, "offset" FROM log AS asked WHERE kind = '{Kind.INPUT_REQUESTED}'
    AND NOT EXISTS (
        SELECT 1 FROM ask WHERE ask.user = asked.user AND ask."offset" = asked."offset")
    AND NOT EXISTS (SELECT 1 FROM trimmed WHERE trimmed.user = asked.user)
"""
_ENDLESS_ASKS: Final = f"""
    SELECT ask.user, ask.ask FROM ask JOIN log USING (user, "offset")
    WHERE ended IS NULL AND (log.user, log.run) IN (
        SELECT user, run FROM ({_LAST_WORDS}) AS words WHERE kind IN ({_listed(RUN_ENDS)}))
"""
_WRONG_ENDS: Final = f"""
    SELECT ask.user, ask, ended FROM ask LEFT JOIN log
        ON log.user = ask.user AND log."offset" = ask.ended
    WHERE ended IS NOT NULL AND coalesce(kind, '') NOT IN ({_listed(ASK_ENDS)})
"""
_BEYOND: Final = """
    SELECT user, "{1}", last FROM (
        SELECT user, "{1}", coalesce(
            (SELECT max("offset") FROM log WHERE log.user = "{0}".user),
            (SELECT through FROM trimmed WHERE trimmed.user = "{0}".user), 0) AS last FROM "{0}")
        AS found
    WHERE "{1}" NOT BETWEEN {2} AND last
"""
_WITHIN: Final = (  # table, column, its minimum; the maximum is the user's last offset
    ("cursor", "offset", 0),
    ("cursor", "sent", 0),
    ("received", "through", 1),
    ("forgotten", "through", 0),
    ("mark", "offset", 1),
    ("attempt", "through", 1),
    ("dead_letter", "offset", 1),
    ("settled", "through", 0),
)


def check(
    database: apsw.Connection, progress: TellProgress = no_progress, *, strict: bool = True
) -> Iterator[str]:
    """Every flaw of a journal in a file, as `check_entries`. After a damaged file nothing else is
    checked."""
    progress("checking the file", 0, 0)
    found = damages(database)
    yield from (f"file: {line}" for line in found)
    if found:
        return
    sqlite_schema.epoch_of(database)
    yield from check_entries(database, progress, strict=strict)


def check_entries(
    database: Database, progress: TellProgress = no_progress, *, strict: bool = True
) -> Iterator[str]:
    """Every flaw of a journal's entries and its place, a sentence each. Memory does not grow with
    them.

    `strict`: also report flaws that earlier versions allowed: tools that an ended run left open,
    and numbers that browsers read differently.
    """
    progress("checking the sequence of events", 0, 0)
    yield from _sequence(database)
    yield from _spans(database)
    yield from _threads(database)
    yield from _open_runs(database)
    yield from _asks(database)
    if strict:
        yield from _open_tools(database)
    yield from _bounds(database)
    yield from _rows(database, progress, strict)


def _sequence(database: Database) -> Iterator[str]:
    for user, offset, expected in database.execute(_GAPS):
        yield f"{_event(user, offset)}: does not continue the user's log, {expected!r} is missing"


def _spans(database: Database) -> Iterator[str]:
    for user, first, thread in database.execute(f"{_CHANGES} EXCEPT {_SPANS}"):
        yield f"{_event(user, first)}: begins a stretch in {thread!r} without a span"
    for user, first, thread in database.execute(f"{_SPANS} EXCEPT {_CHANGES}"):
        yield f"{_event(user, first)}: a span says that {thread!r} begins here, but it does not"


def _threads(database: Database) -> Iterator[str]:
    for user, thread in database.execute(_UNLISTED):
        yield f"user {user!r}: {thread!r} has events, but is not in the list of threads"
    for user, thread in database.execute(_EMPTY):
        yield f"user {user!r}: {thread!r} is in the list of threads, but has no events"


def _open_runs(database: Database) -> Iterator[str]:
    for user, run in database.execute(_FORGOTTEN_RUNS):
        yield f"user {user!r}: run {run!r} is open, but is not listed as open"
    for user, run in database.execute(_ENDED_RUNS):
        yield f"user {user!r}: run {run!r} is listed as open, but has ended"


def _open_tools(database: Database) -> Iterator[str]:
    for user, run, tools in database.execute(_OPEN_TOOLS):
        yield f"user {user!r}: run {run!r} has ended, but left {tools!r} of its tools open"


def _asks(database: Database) -> Iterator[str]:
    for user, offset in database.execute(_LOST_ASKS):
        yield f"{_event(user, offset)}: is a question that is not listed"
    for user, ask in database.execute(_ENDLESS_ASKS):
        yield f"user {user!r}: question {ask!r} is open, but its run has ended"
    for user, ask, ended in database.execute(_WRONG_ENDS):
        yield f"user {user!r}: question {ask!r} ends at offset {ended!r}, which ends none"


def _bounds(database: Database) -> Iterator[str]:
    for table, column, lowest in _WITHIN:
        for user, offset, last in database.execute(_BEYOND.format(table, column, lowest)):
            yield (
                f"{table} of {user!r}: its {column} is {offset!r}, "
                f"but the user's events end at {last!r}"
            )


def _rows(database: Database, progress: TellProgress, strict: bool) -> Iterator[str]:
    done, total = 0, count_rows(database)
    for table in tables(database):
        for flaws in _flaws_by_row(database, table, strict):
            yield from flaws
            done += 1
            if done % EVERY == 0 or done == total:
                progress("checking ids and events", done, total)


def _flaws_by_row(database: Database, table: SqlTable, strict: bool) -> Iterator[Iterator[str]]:
    if table.name == "log":
        for row in database.execute(f"SELECT {RECORD_COLUMNS} FROM log ORDER BY number"):
            yield record_flaws(cast(RecordRow, row), strict=strict)
        return
    columns = [column for column in table.columns if column in ID_COLUMNS]
    names = ", ".join(f'"{column}"' for column in columns) or "NULL"
    for values in database.execute(f'SELECT {names} FROM "{table.name}"'):
        where = f"{table.name} of {values[0]!r}"
        yield _id_flaws(where, dict(zip(columns, values, strict=False)))


def record_flaws(row: RecordRow, *, strict: bool = False) -> Iterator[str]:
    """The flaws of a single event, without its neighbours. `strict` as for `check`."""
    columns = dict(zip(RECORD_COLUMNS.replace('"', "").split(", "), row, strict=True))
    where = _event(columns["user"], columns["offset"])
    yield from _id_flaws(where, {c: v for c, v in columns.items() if c in ID_COLUMNS})
    if columns["kind"] not in _KINDS:
        yield f"{where}: there is no kind of event {columns['kind']!r}"
    elif columns["class"] != class_of(Kind(str(columns["kind"]))):
        right = str(class_of(Kind(str(columns["kind"]))))
        yield f"{where}: its class must be {right!r} by its kind, not {columns['class']!r}"
    if (columns["kind"], columns["body"]) != (Kind.SUPERSEDED, PLACE_BODY):
        yield from (f"{where}: {flaw}" for flaw in _body_flaws(columns, strict))


def _body_flaws(columns: Mapping[str, object], strict: bool) -> Iterator[str]:
    try:
        event = orjson.loads(cast(bytes, columns["body"]))
    except ValueError as error:
        yield f"its body is not JSON: {error}"
        return
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        yield "its body must be an event: an object whose `data` is an object"
        return
    for name in (*_COLUMNS_OF_BODY, "parent"):
        if event.get(name) != columns[name]:
            yield f"its body says {name} {event.get(name)!r}, but its column {columns[name]!r}"
    say = event["data"].get("say") if columns["kind"] == Kind.USER_SAID else None
    if say != columns["say"]:
        yield f"its body says `say` {say!r}, but its column {columns['say']!r}"
    if strict and (flaw := flaw_of(event["data"], "data")):
        yield f"its {flaw}"


def _id_flaws(where: str, ids: Mapping[str, object]) -> Iterator[str]:
    for column, value in ids.items():
        if value is not None and (flaw := _id_flaw(column, value)):
            yield f"{where}: {flaw}"


@lru_cache(maxsize=65_536)
def _id_flaw(column: str, value: object) -> str:
    """The flaw of an id in this column; empty if there is none."""
    kind = ID_COLUMNS[column]
    if kind is UserId:
        given = kind_of(value)
        return "" if given == UserId.kind else BadId(kind.kind, given, value).message
    text = str(value)
    if type_of(text) is kind:
        return ""
    if recognised(text):
        return f"{column} {text!r} is a legacy id (`greenroom journal migrate` gives it a new one)"
    return f"{column}: {BadId(kind.kind, kind_of(text), text).message}"


def _event(user: object, offset: object) -> str:
    return f"event {offset} of {user!r}"
