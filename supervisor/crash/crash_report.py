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
    """An earlier crash that led to the reported one. `path` is that of the child."""

    id: str
    at: float
    path: str
    reason: str


@attrs.frozen
class CrashReport:
    """A bad end of a child. `at` is Unix time, `uptime` how long the child lived, in seconds.

    `id` is short and never changes. `supervisor` is a path (`root/users`), `restarts` the number of
    earlier restarts of the child, `budget` the restarts that its supervisor had left. `chain` has
    the earlier crashes that led here, the latest last: those of the child itself, of a sibling that
    the strategy restarts it with, of a supervisor above, or, if a supervisor gave up, those for
    which it gave up. `actor` says what an actor was doing. `reason.error` is the
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
        """How it ended, for a headline, without the error's message, which may be private."""
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
        """About how many bytes it keeps, without the live error."""
        return weight_of((self.error, self.traceback, self.chain, self.actor), LOG_BYTES)

    def without_live_error(self) -> CrashReport:
        """A copy without `reason.error`, which keeps its frames and all their variables alive."""
        return attrs.evolve(self, reason=ExitReason(self.reason.kind))

    def without_recording(self) -> CrashReport:
        """A copy without the messages that were kept whole; the short ones stay."""
        if self.actor is None:
            return self
        actor = attrs.evolve(self.actor, recording=None, let_go=self.is_recorded)
        return attrs.evolve(self, actor=actor)

    @property
    def messages(self) -> tuple[JSON, ...]:
        """The last messages that the actor took; the last one is the one that it crashed on."""
        return self.actor.messages if self.actor is not None else ()

    @property
    def summary(self) -> str:
        """The reason in one line: `ZeroDivisionError: division by zero`."""
        if self.error is None:
            return self.reason.kind.value
        first, *_ = (self.error.message or "").splitlines() or [""]
        return f"{self.error.name}: {first}"[:SUMMARY] if first else self.error.name
