"""What a user's export is made of: rows of tables, and the place where it goes on (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from greenroom.actors.recording.redaction import SECRET

RowValue: TypeAlias = str | int | float | bytes | None


@attrs.frozen
class ExportedRow:
    """A row of a table of the journal, by its columns."""

    table: str
    values: Mapping[str, RowValue] = attrs.field(metadata=SECRET)


@attrs.frozen
class ExportPlace:
    """After the row of the table with this key; without a key, after the whole table."""

    table: str
    key: Sequence[RowValue]


@attrs.frozen
class ExportPiece:
    """Some rows, and the place where the next piece begins; None at the end."""

    rows: Sequence[ExportedRow]
    after: ExportPlace | None
