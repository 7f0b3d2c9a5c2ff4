"""The log of a tree's crash reports: bounded, kept at the root, each report logged once."""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
import time
from collections.abc import Callable
from typing import TypeGuard

from greenroom.actors.exit import ExitKind, ExitReason, forget_frames
from greenroom.actors.guard import call_guarded, log_failure
from greenroom.actors.text.safe import is_a
from greenroom.supervisor.crash.actor_note import ActorNote
from greenroom.supervisor.crash.crash_report import (
    LOG_BYTES,
    CrashReport,
    EarlierCrash,
    ReportContext,
)
from greenroom.supervisor.crash.error_note import note_within, traceback_text
from greenroom.supervisor.errors import RestartIntensityExceeded

logger = logging.getLogger("greenroom.supervisor")

CHAIN = 10

LIVE_ERRORS = 10
"""How many of the newest reports in a log still have `reason.error`."""


class CrashLog:
    """The last `capacity` crash reports of a tree, at most 16 MiB of them; each is logged once.

    `restarts` counts the restarts of all supervisors of the tree. `on_crash` is called with each
    report in the supervisor's task: it must be quick. What it raises is logged.
    """

    def __init__(
        self,
        *,
        capacity: int = 100,
        on_crash: Callable[[CrashReport], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reports: list[CrashReport] = []
        self._weights: list[int] = []
        self._capacity = capacity
        self._numbers = itertools.count(1)
        self._on_crash = on_crash
        self._clock = clock
        self.restarts = 0

    def reports(self) -> tuple[CrashReport, ...]:
        """The reports, oldest first."""
        return tuple(self._reports)

    def find(self, id_: str) -> CrashReport | None:
        """The report with this id, while it is kept."""
        return next((report for report in self._reports if report.id == id_), None)

    def after(self, number: int) -> tuple[CrashReport, ...]:
        """The reports with a greater number, oldest first."""
        return tuple(report for report in self._reports if report.number > number)

    def forget(self, of: Callable[[CrashReport], bool]) -> None:
        """Forget the reports of which this is true."""
        kept = [place for place, report in enumerate(self._reports) if not of(report)]
        self._reports = [self._reports[place] for place in kept]
        self._weights = [self._weights[place] for place in kept]

    def record(
        self,
        supervisor: str,
        child: str,
        reason: ExitReason,
        *,
        context: ReportContext = "crash",
        callers: tuple[str, ...] = (),
        restarts: int = 0,
        uptime: float = 0.0,
        budget: int | None = None,
        actor: ActorNote | None = None,
        led_here: Callable[[CrashReport], bool] | None = None,
    ) -> CrashReport:
        """Keep, log and announce the report of one bad end.

        `led_here(earlier)` says which earlier crashes belong to the chain; by default those of the
        child itself.
        """
        number, at, path = next(self._numbers), self._clock(), f"{supervisor}/{child}"
        report = CrashReport(
            id=_id(number, at, path),
            number=number,
            at=at,
            supervisor=supervisor,
            child=child,
            reason=reason,
            error=note_within(reason.error) if reason.error is not None else None,
            traceback=traceback_text(reason.error) if reason.error is not None else "",
            restarts=restarts,
            uptime=uptime,
            budget=budget,
            chain=self._chain(reason, led_here or (lambda earlier: earlier.path == path)),
            actor=actor,
            context=context,
            callers=callers,
            gave_up=_gave_up(reason.error),
        )
        self._keep(report)
        _log(report)
        self._announce(report)
        return report

    def _keep(self, report: CrashReport) -> None:
        """Keep a report, and drop what is too much: live errors, then recordings, then reports."""
        self._reports.append(report)
        self._weights.append(report.weight)
        if len(self._reports) > LIVE_ERRORS:
            self._forget_error(len(self._reports) - LIVE_ERRORS - 1)
        for place in range(len(self._reports) - 1):
            if sum(self._weights) <= LOG_BYTES:
                break
            if self._reports[place].is_recorded:
                self._reports[place] = self._reports[place].without_recording()
                self._weights[place] = self._reports[place].weight
        while len(self._reports) > self._capacity or (
            sum(self._weights) > LOG_BYTES and len(self._reports) > 1
        ):
            del self._reports[0], self._weights[0]

    def _forget_error(self, place: int) -> None:
        report = self._reports[place]
        self._reports[place] = report.without_live_error()
        error, newer = report.reason.error, self._reports[place + 1 :]
        if error is not None and not any(each.reason.error is error for each in newer):
            forget_frames(error)

    def _chain(
        self, reason: ExitReason, led_here: Callable[[CrashReport], bool]
    ) -> tuple[EarlierCrash, ...]:
        given_up = {each.id for each in reason.error.crashes} if _gave_up(reason.error) else set()
        led = [each for each in self._reports if each.id in given_up or led_here(each)]
        return tuple(_earlier(report) for report in led[-CHAIN:])

    def _announce(self, report: CrashReport) -> None:
        if self._on_crash is not None:
            call_guarded(f"on_crash failed for {report}", self._on_crash, report)


def _id(number: int, at: float, path: str) -> str:
    """Eight letters and digits: the same for the same crash, and in practice for no other."""
    digest = hashlib.sha256(f"{number} {at!r} {path}".encode()).digest()
    return base64.b32encode(digest[:5]).decode().lower()


def _earlier(report: CrashReport) -> EarlierCrash:
    return EarlierCrash(report.id, report.at, report.path, report.summary)


def _log(report: CrashReport) -> None:
    level = logging.WARNING if report.reason.kind is ExitKind.NORMAL else logging.ERROR
    log_failure(logger, _news(report.reason.error), "%s", report, level=level)


def _news(error: BaseException | None) -> BaseException | None:
    """None for a supervisor that gave up: each of its crashes was logged before."""
    return None if _gave_up(error) else error


def _gave_up(error: BaseException | None) -> TypeGuard[RestartIntensityExceeded]:
    return error is not None and is_a(error, RestartIntensityExceeded)
