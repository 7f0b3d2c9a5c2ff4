"""A journal as JSON Lines: a header line, a line for every row, and an end line (pure).

    {"schema":"greenroom.journal/1","epoch":"…","version":1}
    {"log":{"user":"alice","offset":1,…,"body":{…the event as on the wire…}}}
    {"cursor":{"user":"alice","session":"sess_…","offset":1,"at":…}}
    {"end":2}

A row's object is keyed by the journal's own columns. The end line has the number of rows, so that a
truncated file is recognised.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs
import orjson

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import JournalError, JournalTooNew
from greenroom.delivery.events.ids import BadId
from greenroom.delivery.legacy.legacy_rows import ID_COLUMNS, modern_body, modern_id

SCHEMA: Final = "greenroom.journal/1"
JSON_COLUMNS: Final = {
    "body": bytes,
    "verdict": str,
    "attempts": str,
    "line": str,
    "report": str,
}
"""Columns that contain JSON, and the type that they store it as."""

BYTES_COLUMNS: Final = {"data"}
"""Columns that contain bytes: in base64."""

TableValue = str | int | float | bytes | None


class BadExport(JournalError):
    """The file is not an export of a journal, or is damaged; the message names the line."""

    fault = Fault.CALLER


@attrs.frozen
class Header:
    """The exported journal's epoch and schema version."""

    epoch: str
    version: int


@attrs.frozen
class TableRow:
    """A row of a table, and its line in the export."""

    line: int
    table: str
    values: Mapping[str, TableValue]


def header_line(header: Header) -> bytes:
    return _line({"schema": SCHEMA, "epoch": header.epoch, "version": header.version})


def row_line(table: str, values: Mapping[str, TableValue]) -> bytes:
    """Encode a row. Raises `ValueError` if a column that must contain JSON does not."""
    return _line({table: {column: _shown(column, value) for column, value in values.items()}})


def _shown(column: str, value: TableValue) -> object:
    if column in JSON_COLUMNS and isinstance(value, str | bytes):
        return orjson.loads(value)
    if column in BYTES_COLUMNS and isinstance(value, bytes):
        return b64encode(value).decode()
    return value


def end_line(rows: int) -> bytes:
    return _line({"end": rows})


def read_header(line: bytes, version: int) -> Header:
    """Read the first line. Raises `BadExport`, and `JournalTooNew` for a schema above `version`."""
    fields = _fields(1, line)
    epoch, given = fields.get("epoch"), fields.get("version")
    if fields.get("schema") != SCHEMA or not isinstance(epoch, str) or not epoch:
        raise BadExport(
            f'line 1: an export of a journal must begin with {{"schema":"{SCHEMA}",…}}',
            advice="import a file that `greenroom journal export` wrote",
        )
    if not isinstance(given, int) or given > version:
        raise JournalTooNew(
            f"the export has schema version {given}, but this greenroom reads up to {version}",
            advice="use the version of greenroom that wrote it, or a newer one",
        )
    return Header(epoch, given)


def read_rows(lines: Iterable[bytes]) -> Iterator[TableRow]:
    """The rows of all lines but the first, with legacy ids made new. Raises `BadExport`."""
    rows = 0
    lines = iter(lines)
    for number, line in enumerate(lines, 2):
        fields = _fields(number, line)
        if "end" in fields:
            return _end(fields["end"], rows, number, lines)
        yield _row(number, fields)
        rows += 1
    raise BadExport(
        f"line {rows + 2}: the file ends here, without its end line",
        advice="it was cut short: export the journal again",
    )


def _end(written: object, rows: int, number: int, rest: Iterator[bytes]) -> None:
    if written != rows:
        raise BadExport(f"line {number}: the export had {written} rows, but this file has {rows}")
    if next(rest, None) is not None:
        raise BadExport(f"line {number + 1}: the file must end with its end line")


def _row(number: int, fields: Mapping[str, object]) -> TableRow:
    if len(fields) != 1 or not isinstance(row := next(iter(fields.values())), dict):
        raise BadExport(f"line {number}: a row must be an object in an object with a single field")
    try:
        values = {column: _value(column, value) for column, value in row.items()}
    except (BadId, ValueError) as error:
        message = error.message if isinstance(error, BadId) else str(error)
        raise BadExport(f"line {number}: {message}") from error
    return TableRow(number, next(iter(fields)), values)


def _value(column: str, value: object) -> TableValue:
    """The column's value: JSON is encoded, legacy ids are replaced with new ids."""
    if column in JSON_COLUMNS:
        encoded = orjson.dumps(value)
        return modern_body(encoded) if JSON_COLUMNS[column] is bytes else encoded.decode()
    if column in BYTES_COLUMNS:
        return b64decode(str(value), validate=True)
    if value is not None and column in ID_COLUMNS and column != "user":
        return modern_id(column, str(value))
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"`{column}` must be text or a number")


def _fields(number: int, line: bytes) -> dict[str, object]:
    try:
        fields = orjson.loads(line)
    except ValueError as error:
        raise BadExport(f"line {number}: not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadExport(f"line {number}: the line must be a JSON object")
    return fields


def _line(fields: Mapping[str, object]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
