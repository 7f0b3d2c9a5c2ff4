"""What delivery tells whoever counts (pure). Numbers for operators hang on an observer.

A hook is called for a batch wherever there is one. Hooks run inside the actor's task it happened
in: they must be quick and must not raise. No hook is told whose event it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from greenroom.delivery.events.kinds import Kind
    from greenroom.delivery.events.record import Record

Breaker: TypeAlias = Literal["closed", "half_open", "open"]
EmitRefusal: TypeAlias = Literal["bad_event", "out_of_order", "journal", "unavailable"]
ReportedStage: TypeAlias = Literal["received", "displayed", "confirmed"]
RunOutcome: TypeAlias = Literal["ok", "cancelled", "crash", "timeout", "lost"]
Dropped: TypeAlias = Literal["too_late", "crowded_out"]
Sought: TypeAlias = Literal["session", "run", "thread", "event", "user", "journal"]


class Observer:
    """Does nothing; subclass and override what you want to count. Seconds everywhere."""

    # Events

    def accepted(self, records: Sequence[Record]) -> None:
        """One user's events are durable."""

    def emit_refused(self, reason: EmitRefusal, events: int = 1) -> None:
        """Events were not accepted; each raised at its emitter."""

    def sent(self, events: int, size: int, *, replay: bool) -> None:
        """A frame with so many events, `size` bytes in all, was written to a socket."""

    def received(self, kind: Kind, seconds: float, events: int = 1) -> None:
        """For the first time a session acknowledged these, so long after they were accepted."""

    def displayed(self, kind: Kind, seconds: float) -> None:
        """For the first time a session showed the event."""

    def confirmed(self, kind: Kind, seconds: float) -> None:
        """For the first time a session confirmed the event."""

    def superseded(self, events: int) -> None:
        """Progress events were folded for a connection that lags."""

    def retried(self, kind: Kind, events: int = 1) -> None:
        """Events without acknowledgement were sent once more."""

    def expired(self, kind: Kind, events: int = 1) -> None:
        """Events ended undelivered: nobody came for them in time."""

    def dead_lettered(self, kind: Kind, events: int = 1) -> None:
        """Events ended undelivered after all attempts, and are kept as dead letters."""

    def report_refused(self, stage: ReportedStage) -> None:
        """A client reported on an event that was not sent to it."""

    def breaker_moved(self, old: Breaker | None, new: Breaker | None) -> None:
        """A connection's circuit breaker moved; None before its first and after its last state."""

    # Runs and ids

    def run_started(self) -> None:
        """A run goes on in this process."""

    def run_ended(self, outcome: RunOutcome, seconds: float) -> None:
        """Its block was left, so long after it was entered."""

    def id_mismatch(self, expected: str, given: str) -> None:
        """An id was no `expected` one but, in the words of `BadId.given`, something else."""

    def lookup_failed(self, wanted: Sought) -> None:
        """What somebody named is not there, or (`journal`) could not be looked for."""

    # The journal

    def appended(self, seconds: float, entries: int, size: int) -> None:
        """One commit of the journal; `size` in bytes of event bodies."""

    def append_failed(self, error: str) -> None:
        """A commit was refused; `error` is the name of the exception's class."""

    def looked_up(self, seconds: float) -> None:
        """The journal answered a question."""

    # Connections

    def connection_opened(self) -> None:
        """A socket was upgraded."""

    def connection_ready(self, seconds: float) -> None:
        """It is ready, so long after it was upgraded."""

    def connection_closed(self, code: int, *, by_server: bool) -> None:
        """It is closed; 1006 when nobody said a code (RFC 6455 §7.4.1)."""

    def frame_refused(self, code: int) -> None:
        """A client's frame broke the protocol or a limit; `code` as in the answer to it."""

    def request_refused(self, request: str, code: int) -> None:
        """A client's `say`, `cancel`, `history` or `refresh` was not granted."""

    def handshake_refused(self, status: int) -> None:
        """An upgrade was answered with this HTTP status."""

    def handshake_dropped(self, why: Dropped) -> None:
        """A peer did not get to its answer: it took too long, or newer ones pushed it out."""

    def keys_looked_at(self, *, readable: bool) -> None:
        """The file of keys that tokens are checked with was looked at, and could be read or not."""


NO_OBSERVER = Observer()
