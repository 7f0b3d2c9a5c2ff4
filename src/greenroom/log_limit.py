"""A log that cannot be flooded: some lines of each kind per minute, and the number of the rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import attrs

from greenroom.actors.text.safe import safe_str
from greenroom.delivery.log_context import bound

LINES, SECONDS = 100, 60.0
"""At most `LINES` lines of each kind are written in a window of `SECONDS`."""

KINDS = 256
"""The number of kinds that are counted separately; all further kinds count as one."""

SAMPLE = 200
"""Characters of a line that is counted, as an example of those like it."""

RecordKind: TypeAlias = tuple[object, ...]
OTHER: RecordKind = ("other",)


@attrs.define(eq=False)
class Window:
    """What became of one kind of lines since `began`."""

    began: float
    written: int = 0
    more: int = 0
    sample: str = ""
    logger: str = ""
    level: int = logging.INFO


class LimitedHandler(logging.Handler):
    """Hands records on to `target`: the first `LINES` of a kind in each `SECONDS`.

    A kind is a line of code that logs, with its sentence before anything is filled in; where that
    is not enough, the record's attribute `kind` distinguishes them (`extra={"kind": "404"}`). The
    rest is counted, and a line with the number is written with the first record of any kind after
    the minute, or when the handler is closed. `clock` is monotonic, in seconds.
    """

    def __init__(
        self, target: logging.Handler, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._target = target
        self._clock = clock
        self._windows: dict[RecordKind, Window] = {}

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock()
        self._tell_ended(now)
        window = self._window_of(record, now)
        if window.written < LINES:
            window.written += 1
            self._target.handle(record)
        else:
            self._count(record, window)

    def close(self) -> None:
        """Write the last counts, and close the target."""
        self.acquire()
        try:
            self._tell_ended(float("inf"))
        finally:
            self.release()
        self._target.close()
        super().close()

    def flush(self) -> None:
        self._target.flush()

    def _window_of(self, record: logging.LogRecord, now: float) -> Window:
        kind = _kind_of(record)
        if kind not in self._windows and len(self._windows) >= KINDS:
            kind = OTHER
        return self._windows.setdefault(kind, Window(now))

    def _count(self, record: logging.LogRecord, window: Window) -> None:
        if not window.more:
            window.sample = safe_str(Words(record), SAMPLE)
            window.logger, window.level = record.name, record.levelno
            self._say(window, "more lines like this are counted, not written: %s", window.sample)
        window.more += 1

    def _tell_ended(self, now: float) -> None:
        for window in self._take_ended(now):
            if window.more:
                self._say(window, "and %s more like it: %s", f"{window.more:,}", window.sample)

    def _take_ended(self, now: float) -> Iterator[Window]:
        ended = [kind for kind, each in self._windows.items() if now - each.began >= SECONDS]
        return iter([self._windows.pop(kind) for kind in ended])

    def _say(self, window: Window, words: str, *values: str) -> None:
        record = logging.LogRecord(
            window.logger, window.level, __file__, 0, words, values, exc_info=None
        )
        with bound():  # what is counted belongs to many connections
            self._target.handle(record)


@attrs.frozen
class Words:
    """The text of a record; formatting it may fail."""

    record: logging.LogRecord

    def __str__(self) -> str:
        return self.record.getMessage()


def _kind_of(record: logging.LogRecord) -> RecordKind:
    """Failures of many kinds are logged by one line of code: their sentences distinguish them."""
    template = record.msg if type(record.msg) is str else ""
    return (record.pathname, record.lineno, template, getattr(record, "kind", None))
