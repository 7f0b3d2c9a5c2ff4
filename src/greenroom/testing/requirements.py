"""Promises and the tests that keep them: the table read, the report written (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

ROW = re.compile(r"^\| *(?P<id>R\d+) *\| *(?P<promise>.*?) *\|", re.MULTILINE)
WIDTH = 96


def read_promises(markdown: str) -> dict[str, str]:
    """Row id to promise, from every table row that starts with an id such as R04."""
    return {row["id"]: row["promise"] for row in ROW.finditer(markdown)}


def report(promises: Mapping[str, str], tests: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The lines of the report: first what no test keeps, then every test under its promise."""
    without = [row for row in promises if row not in tests]
    yield f"{len(without)} of {len(promises)} promises have no test yet"
    yield from (f"  {_line(row, promises)}" for row in without)
    yield f"{len(promises) - len(without)} promises have tests"
    for row in promises:
        if row in tests:
            yield f"  {_line(row, promises)}"
            yield from (f"      {test}" for test in tests[row])


def _line(row: str, promises: Mapping[str, str]) -> str:
    line = f"{row} {promises[row]}"
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
