"""Crash reports: what is known of a child's bad end, as data that can be saved and read back."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from greenroom.actors.exit import ExitReason
from greenroom.actors.recording.weight import weight_of
from greenroom.supervisor.crash.actor_note import ActorNote
from greenroom.supervisor.crash.error_note import ErrorNote
from greenroom.supervisor.crash.message_codec import JSON

ReportContext: TypeAlias = Literal["start", "restart", "shutdown", "crash"]
"""When a child ended (supervisor(3), error reports: start_error for the first two, shutdown_error,
child_terminated)."""

SUMMARY = 200
"""Characters of a summary."""

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
    live exception, in the process it happened in and in the newest ten reports; `error` is the
    same as data. `context` says what the supervisor was doing with the child: starting, restarting
    or stopping it, or nothing (`crash`). `callers` are the paths of the children that had it
    started, the nearest first. `gave_up`: the child is a supervisor that used up its restarts.
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
    gave_up: bool = False

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
        words = self.error.message if self.gave_up else self.error.name
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
