"""Crash reports: what is known of a child's bad end, kept in a bounded log at the root."""

from __future__ import annotations

import itertools
import logging
import time
import traceback
from collections import deque
from collections.abc import Callable

import attrs

from greenroom.actors.exit import ExitKind, ExitReason
from greenroom.supervisor.errors import RestartIntensityExceeded

logger = logging.getLogger("greenroom.supervisor")


@attrs.frozen
class CrashReport:
    """An end that was not asked for. `at` is Unix time in seconds.

    `supervisor` is a path (`root/users`), `messages` are the last ones the actor took, the last
    being the one it died of, `restarts` how often the child had been restarted before.
    """

    number: int
    at: float
    supervisor: str
    child: str
    reason: ExitReason
    traceback: str
    messages: tuple[object, ...]
    restarts: int

    def __str__(self) -> str:
        return f"{self.supervisor}/{self.child} {self.reason}, after {self.restarts} restarts"


class CrashLog:
    """The last `capacity` crash reports of a tree; every one is logged once.

    `on_crash` is called with each report, in the supervisor's task: be quick.
    """

    def __init__(
        self,
        *,
        capacity: int = 100,
        on_crash: Callable[[CrashReport], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reports: deque[CrashReport] = deque(maxlen=capacity)
        self._numbers = itertools.count(1)
        self._on_crash = on_crash
        self._clock = clock

    def reports(self) -> tuple[CrashReport, ...]:
        """Oldest first."""
        return tuple(self._reports)

    def record(
        self,
        supervisor: str,
        child: str,
        reason: ExitReason,
        *,
        messages: tuple[object, ...] = (),
        restarts: int = 0,
    ) -> CrashReport:
        """Note, log and announce one bad end."""
        report = CrashReport(
            number=next(self._numbers),
            at=self._clock(),
            supervisor=supervisor,
            child=child,
            reason=reason,
            traceback="".join(traceback.format_exception(reason.error)) if reason.error else "",
            messages=messages,
            restarts=restarts,
        )
        self._reports.append(report)
        _log(report)
        self._announce(report)
        return report

    def _announce(self, report: CrashReport) -> None:
        if self._on_crash is None:
            return
        try:
            self._on_crash(report)
        except Exception:
            logger.exception("on_crash failed for %s", report)


def _log(report: CrashReport) -> None:
    level = logging.WARNING if report.reason.kind is ExitKind.NORMAL else logging.ERROR
    logger.log(level, "%s", report, exc_info=_news(report.reason.error))


def _news(error: BaseException | None) -> BaseException | None:
    """A supervisor that gave up has nothing to add: each of its crashes was logged before."""
    return None if isinstance(error, RestartIntensityExceeded) else error
