"""Crash reports: what is known of a child's bad end, kept in a bounded log at the root."""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
import time
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeGuard

import attrs

from greenroom.actors.exit import ExitKind, ExitReason, forget_frames
from greenroom.actors.guard import call_guarded, log_failure
from greenroom.actors.recording.weight import weight_of
from greenroom.supervisor.crash.actor_note import ActorNote
from greenroom.supervisor.crash.error_note import ErrorNote, note_within, traceback_text
from greenroom.supervisor.crash.message_codec import JSON, path_of
from greenroom.supervisor.errors import RestartIntensityExceeded

logger = logging.getLogger("greenroom.supervisor")

ReportContext: TypeAlias = Literal["start", "restart", "shutdown", "crash"]
"""When a child ended (supervisor(3), error reports: start_error for the first two, shutdown_error,
child_terminated)."""

CHAIN = 10
SUMMARY = 200

GAVE_UP = path_of(RestartIntensityExceeded)
LIVE_ERRORS = 10
"""How many of the newest reports in a log still have `reason.error`."""

LOG_BYTES = 16 * 1024 * 1024
"""What all reports of a log may take: past it the oldest lose their recordings, then go."""


@attrs.frozen
class EarlierCrash:
    """A crash that led to the one that is reported. `path` is the child's."""

    id: str
    at: float
    path: str
    reason: str


@attrs.frozen
class CrashReport:
    """An end that was not asked for. `at` is Unix time, `uptime` how long it lived, in seconds.

    `id` is short and names the report for good. `supervisor` is a path (`root/users`),
    `restarts` how often the child had been restarted before, `budget` how many restarts its
    supervisor had left. `chain` are earlier crashes that led here, the latest last: of the child
    itself, of a sibling that takes it along, of a supervisor above, or, when a supervisor gave
    up, those that it gave up over. `actor` says what an actor was doing. `reason.error` is the
    live exception, in the process it happened in and in the newest ten reports; `error` tells the
    same in data. `context` says
    what the supervisor was doing with the child: starting, restarting or stopping it, or nothing
    (`crash`). `callers` are the paths of the children that had it started, the nearest first.
    """

    id: str
    number: int
    at: float
    supervisor: str
    child: str
    reason: ExitReason
    error: ErrorNote | None
    traceback: str
    restarts: int
    uptime: float = 0.0
    budget: int | None = None
    chain: tuple[EarlierCrash, ...] = ()
    actor: ActorNote | None = None
    context: ReportContext = "crash"
    callers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path} {self.end}, after {self.restarts} restarts (crash {self.id})"

    @property
    def path(self) -> str:
        """The child's place in the tree."""
        return f"{self.supervisor}/{self.child}"

    @property
    def end(self) -> str:
        """How it ended, for a headline. What the error says may be private: it stays with it."""
        if self.error is None:
            return self.reason.kind.value
        words = self.error.message if self.error.type == GAVE_UP else self.error.name
        return f"{self.reason.kind.value}: {words}"

    @property
    def is_recorded(self) -> bool:
        """Whether the messages were kept whole, and still are."""
        return self.actor is not None and self.actor.recording is not None

    @property
    def weight(self) -> int:
        """About how many bytes it keeps, save the live error."""
        return weight_of((self.error, self.traceback, self.chain, self.actor), LOG_BYTES)

    def without_live_error(self) -> CrashReport:
        """`reason.error` holds the frames it came from, and all that was in their hands."""
        return attrs.evolve(self, reason=ExitReason(self.reason.kind))

    def without_recording(self) -> CrashReport:
        """The messages in short stay."""
        if self.actor is None:
            return self
        actor = attrs.evolve(self.actor, recording=None, let_go=self.is_recorded)
        return attrs.evolve(self, actor=actor)

    @property
    def messages(self) -> tuple[JSON, ...]:
        """The last messages the actor took; the last of all is the one it died of."""
        return self.actor.messages if self.actor is not None else ()

    @property
    def summary(self) -> str:
        """The reason in a line: `ZeroDivisionError: division by zero`."""
        if self.error is None:
            return self.reason.kind.value
        first, *_ = (self.error.message or "").splitlines() or [""]
        return f"{self.error.name}: {first}"[:SUMMARY] if first else self.error.name


class CrashLog:
    """The last `capacity` crash reports of a tree, 16 MiB of them; every one is logged once.

    `restarts` counts all that the tree's supervisors did.
    `on_crash` is called with each report, in the supervisor's task: be quick. What it raises is
    logged.
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
        """Oldest first."""
        return tuple(self._reports)

    def find(self, id_: str) -> CrashReport | None:
        """The report of this id, while it is kept."""
        return next((report for report in self._reports if report.id == id_), None)

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
        """Note, log and announce one bad end.

        `led_here(earlier)` says which earlier crashes belong to the chain; without it, the
        child's own do.
        """
        number, at, path = next(self._numbers), self._clock(), f"{supervisor}/{child}"
        report = CrashReport(
            id=_id(number, at, path),
            number=number,
            at=at,
            supervisor=supervisor,
            child=child,
            reason=reason,
            error=note_within(reason.error) if reason.error else None,
            traceback=traceback_text(reason.error) if reason.error else "",
            restarts=restarts,
            uptime=uptime,
            budget=budget,
            chain=self._chain(reason, led_here or (lambda earlier: earlier.path == path)),
            actor=actor,
            context=context,
            callers=callers,
        )
        self._keep(report)
        _log(report)
        self._announce(report)
        return report

    def _keep(self, report: CrashReport) -> None:
        """And let go of what is too much: live errors, then recordings, then whole reports."""
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
    """Eight letters and digits, the same for the same crash; another for any other in practice."""
    digest = hashlib.sha256(f"{number} {at!r} {path}".encode()).digest()
    return base64.b32encode(digest[:5]).decode().lower()


def _earlier(report: CrashReport) -> EarlierCrash:
    return EarlierCrash(report.id, report.at, report.path, report.summary)


def _log(report: CrashReport) -> None:
    level = logging.WARNING if report.reason.kind is ExitKind.NORMAL else logging.ERROR
    log_failure(logger, _news(report.reason.error), "%s", report, level=level)


def _news(error: BaseException | None) -> BaseException | None:
    """A supervisor that gave up has nothing to add: each of its crashes was logged before."""
    return None if _gave_up(error) else error


def _gave_up(error: BaseException | None) -> TypeGuard[RestartIntensityExceeded]:
    return isinstance(error, RestartIntensityExceeded)
