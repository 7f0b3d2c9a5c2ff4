"""Converters of settings that hold paths and origins, with the types that checkers read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import cast

from greenroom.settings import values as expected
from greenroom.settings.database_url import DatabaseUrl

JOURNAL = expected.journal(Path)
FILE = expected.optional(expected.path(Path))
ORIGINS = expected.origins()


# Type checkers take what `Settings(…)` may be given from a converter with a name and types. A value
# that is refused comes out as it is, so that one error lists all refusals: hence the casts.
def as_journal(value: str | Path | DatabaseUrl) -> Path | DatabaseUrl:
    return cast("Path | DatabaseUrl", JOURNAL.convert(value))


def as_file(value: str | Path | None) -> Path | None:
    return cast("Path | None", FILE.convert(value))


def as_origins(value: Iterable[str]) -> tuple[str, ...]:
    return cast("tuple[str, ...]", ORIGINS.convert(value))
