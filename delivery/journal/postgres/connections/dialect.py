"""The statements of `sql/` as Postgres reads them (pure)."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import count
from typing import Final

TRANSACTIONS: Final = {
    "BEGIN": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "BEGIN IMMEDIATE": "BEGIN",
}
"""A question sees one state of the journal. A writer sees what others committed meanwhile."""

_VALUE: Final = re.compile(r"\?(\d*)")
_HINT: Final = re.compile(r" INDEXED BY \w+")
_RESERVED: Final = re.compile(r"(?<!['\"])\buser\b(?!['\"])")


@lru_cache(maxsize=512)
def postgres_of(sql: str) -> str:
    """The statement with `$1` in place of `?1` and of the first `?`, and `"user"`, which alone
    means the session's user (https://www.postgresql.org/docs/current/sql-keywords-appendix.html);
    without SQLite's hints to its planner.
    """
    numbers = count(1)

    def value(found: re.Match[str]) -> str:
        return f"${found[1] or next(numbers)}"

    words = _HINT.sub("", TRANSACTIONS.get(sql, sql))
    return _RESERVED.sub('"user"', _VALUE.sub(value, words))
