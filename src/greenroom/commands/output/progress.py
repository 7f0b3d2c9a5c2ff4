"""A progress bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from greenroom.delivery.upkeep import journal_upkeep
from greenroom.delivery.upkeep.journal_upkeep import no_progress


@contextmanager
def progress_bar(*, after: float = 0) -> Iterator[journal_upkeep.TellProgress]:
    """A function to report progress to: a bar for each step on a terminal, elsewhere nothing.

    What is done within `after` seconds gets no bar.
    """
    if not sys.stderr.isatty():
        yield no_progress
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        redirect_stdout=False,
    )
    bars = _Bars(progress, time.monotonic() + after)
    try:
        yield bars.report
    finally:
        bars.stop()


class _Bars:
    def __init__(self, progress: Progress, shown_from: float) -> None:
        self._progress = progress
        self._shown_from = shown_from
        self._tasks: dict[str, TaskID] = {}

    def stop(self) -> None:
        if self._tasks:
            self._progress.stop()

    def report(self, what: str, done: int, total: int) -> None:
        if time.monotonic() < self._shown_from:
            return
        if what not in self._tasks:
            self._progress.start()  # not before there is something to show
            self._tasks[what] = self._progress.add_task(what, total=total or None)
        self._progress.update(self._tasks[what], completed=done, total=total or None)
