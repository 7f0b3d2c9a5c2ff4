"""Tables of rows and the tests marked with their ids: the table read, the report written (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

WIDTH = 96


@attrs.frozen
class RowKind:
    """What a table's rows are, and how tests refer to them.

    `marker` is pytest's marker, `noun` the plural that reports use, `ids` the form of an id.
    """

    marker: str
    noun: str
    ids: str

    @property
    def option(self) -> str:
        """The command-line option that prints the report."""
        return f"--{self.marker}s"

    @property
    def setting(self) -> str:
        """The name in pytest's configuration of the file that holds the table."""
        return f"{self.marker}s_file"


PROMISES: Final = RowKind("requirement", "promises", r"R\d+")
FAULTS: Final = RowKind("fault", "faults", r"[A-Z]\d+")


def read_rows(kind: RowKind, markdown: str) -> dict[str, str]:
    """Row id to the text beside it, from every table row that starts with an id such as R04."""
    pattern = rf"^\| *(?P<id>{kind.ids}) *\| *(?P<text>.*?) *\|"
    return {row["id"]: row["text"] for row in re.finditer(pattern, markdown, re.MULTILINE)}


def report(
    kind: RowKind, rows: Mapping[str, str], tests: Mapping[str, Iterable[str]]
) -> Iterator[str]:
    """The lines of the report: the rows without a test, then every test under its row."""
    without = [row for row in rows if row not in tests]
    yield f"{len(without)} of {len(rows)} {kind.noun} have no test yet"
    yield from (f"  {_line(row, rows)}" for row in without)
    yield f"{len(rows) - len(without)} {kind.noun} have tests"
    for row in rows:
        if row in tests:
            yield f"  {_line(row, rows)}"
            yield from (f"      {test}" for test in tests[row])


def _line(row: str, rows: Mapping[str, str]) -> str:
    line = f"{row} {rows[row]}"
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
