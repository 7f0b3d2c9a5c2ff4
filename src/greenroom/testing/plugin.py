"""The pytest plugin's work: which test keeps which promise, or guards against which fault."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from greenroom.testing.requirements import RowKind, read_rows, report


class MarkedRows:
    """Collects which tests are marked with which rows of a table, and reports it when asked."""

    def __init__(self, kind: RowKind, path: Path) -> None:
        self._kind = kind
        self._rows = _read(kind, path)
        self._path = path
        self._tests: defaultdict[str, dict[str, None]] = defaultdict(dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for row in self._rows_of(item):
                self._add(row, item.nodeid.partition("[")[0])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        return True if session.config.getoption(self._kind.option) else None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        wanted = session.config.getoption(self._kind.option)
        strict = session.config.getoption("--every-row")
        if wanted and strict and not self._rows.keys() <= self._tests.keys():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if terminalreporter.config.getoption(self._kind.option):
            terminalreporter.section(self._kind.noun)
            for line in report(self._kind, self._rows, self._tests):
                terminalreporter.line(line)

    def _rows_of(self, item: pytest.Item) -> list[str]:
        marks = list(item.iter_markers(self._kind.marker))
        if any(mark.args == () for mark in marks):
            raise pytest.UsageError(f"{item.nodeid} is marked {self._kind.marker} without an id")
        return [str(row) for mark in marks for row in mark.args]

    def _add(self, row: str, test: str) -> None:
        if row not in self._rows:
            raise pytest.UsageError(f"{test} is marked {row!r}, which {self._path.name} lacks")
        self._tests[row][test] = None  # once, however many parameters it is run with


def _read(kind: RowKind, path: Path) -> dict[str, str]:
    try:
        rows = read_rows(kind, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise pytest.UsageError(f"{kind.setting} {path}: {error.strerror}") from error
    if not rows:
        raise pytest.UsageError(f"{kind.setting} {path} has no rows with ids such as {kind.ids}")
    return rows
