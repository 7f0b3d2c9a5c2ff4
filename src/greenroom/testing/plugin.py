"""The pytest plugin's work: which promise is kept by which test."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from greenroom.testing.requirements import read_promises, report

MARKER = "requirement"


class Requirements:
    """Collects which test keeps which promise, and reports it when asked."""

    def __init__(self, path: Path) -> None:
        self._promises = _read(path)
        self._path = path
        self._tests: defaultdict[str, dict[str, None]] = defaultdict(dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for row in _rows_of(item):
                self._keep(row, item.nodeid.partition("[")[0])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        return True if session.config.getoption("--requirements") else None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if terminalreporter.config.getoption("--requirements"):
            terminalreporter.section("promises")
            for line in report(self._promises, self._tests):
                terminalreporter.line(line)

    def _keep(self, row: str, test: str) -> None:
        if row not in self._promises:
            raise pytest.UsageError(f"{test} is marked {row!r}, which {self._path.name} lacks")
        self._tests[row][test] = None  # once, however many parameters it is run with


def _rows_of(item: pytest.Item) -> list[str]:
    rows = [row for mark in item.iter_markers(MARKER) for row in mark.args]
    if any(mark.args == () for mark in item.iter_markers(MARKER)):
        raise pytest.UsageError(f"{item.nodeid} is marked {MARKER} without an id")
    return [str(row) for row in rows]


def _read(path: Path) -> dict[str, str]:
    try:
        promises = read_promises(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise pytest.UsageError(f"requirements_file {path}: {error.strerror}") from error
    if not promises:
        raise pytest.UsageError(f"requirements_file {path} has no rows such as | R01 | … |")
    return promises
