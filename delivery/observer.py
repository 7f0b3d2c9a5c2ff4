"""The observer: hooks that delivery calls so that metrics can count what happens (pure).

Batched work calls a hook once per batch. Hooks run inside the task of the calling actor: they
must be quick and must not raise. No hook receives a user's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from greenroom.delivery.events.kinds import Kind
    from greenroom.delivery.events.policy import LetterLevel
    from greenroom.delivery.events.record import Record

Breaker: TypeAlias = Literal["closed", "half_open", "open"]
EmitRefusal: TypeAlias = Literal["bad_event", "out_of_order", "journal", "unavailable"]
ReportedStage: TypeAlias = Literal["received", "displayed", "confirmed"]
RunOutcome: TypeAlias = Literal["ok", "cancelled", "crash", "timeout", "lost"]
Dropped: TypeAlias = Literal["too_late", "crowded_out"]
Sought: TypeAlias = Literal["session", "run", "thread", "event", "user", "journal"]


class Observer:
    """Does nothing; subclass and override the hooks you want to count. Times are in seconds."""

    # Events

    def accepted(self, records: Sequence[Record]) -> None:
        """One user's events are durable."""

    def emit_refused(self, reason: EmitRefusal, events: int = 1) -> None:
        """Events were not accepted; each `emit` raised an error."""

    def sent(self, events: int, size: int, *, replay: bool) -> None:
        """A frame with this number of events, `size` bytes in all, was written to a socket."""

    def received(self, kind: Kind, seconds: float, events: int = 1) -> None:
        """A session was the first to acknowledge these events, `seconds` after acceptance."""

    def displayed(self, kind: Kind, seconds: float) -> None:
        """A session was the first to display the event, `seconds` after acceptance."""

    def confirmed(self, kind: Kind, seconds: float) -> None:
        """A session was the first to confirm the event, `seconds` after acceptance."""

    def superseded(self, events: int) -> None:
        """Progress events were folded for a slow connection."""

    def retried(self, kind: Kind, events: int = 1) -> None:
        """Unacknowledged events were sent again."""

    def expired(self, kind: Kind, events: int = 1) -> None:
        """Events ended undelivered: no client received them in time."""

    def dead_lettered(self, kind: Kind, level: LetterLevel, events: int = 1) -> None:
        """Events ended undelivered and were kept as dead letters. `level`: how bad that is."""

    def report_refused(self, stage: ReportedStage) -> None:
        """A client reported a stage for an event that it was not sent."""

    def breaker_moved(self, old: Breaker | None, new: Breaker | None) -> None:
        """A connection's circuit breaker changed state; None: before its first, after its last."""

    # Runs and ids

    def run_started(self) -> None:
        """A run started in this process."""

    def run_ended(self, outcome: RunOutcome, seconds: float) -> None:
        """A run ended, `seconds` after it started."""

    def id_mismatch(self, expected: str, given: str) -> None:
        """An id was not of the `expected` kind; `given` is `BadId.given`."""

    def lookup_failed(self, wanted: Sought) -> None:
        """A requested item does not exist, or (`journal`) could not be looked up."""

    # The journal

    def appended(self, seconds: float, entries: int, size: int) -> None:
        """One commit of the journal; `size` in bytes of event bodies."""

    def append_failed(self, error: str) -> None:
        """A commit was refused; `error` is the name of the exception's class."""

    def looked_up(self, seconds: float) -> None:
        """The journal answered a question."""

    def swept(self, seconds: float, events: int, sessions: int) -> None:
        """One step of retention held the journal, and forgot this many events and sessions."""

    # Connections

    def connection_opened(self) -> None:
        """A socket was upgraded."""

    def connection_ready(self, seconds: float) -> None:
        """A connection became ready, `seconds` after its upgrade."""

    def connection_closed(self, code: int, *, by_server: bool) -> None:
        """A connection closed; `code` is 1006 if neither side sent one (RFC 6455 §7.4.1)."""

    def frame_refused(self, code: int) -> None:
        """A client's frame broke the protocol or a limit; `code` is the one in the reply."""

    def request_refused(self, request: str, code: int) -> None:
        """A client's `say`, `cancel`, `history` or `refresh` was refused."""

    def handshake_refused(self, status: int) -> None:
        """An upgrade was answered with this HTTP status."""

    def handshake_dropped(self, why: Dropped) -> None:
        """A handshake got no response: it took too long, or newer handshakes displaced it."""

    def keys_looked_at(self, *, readable: bool) -> None:
        """The server checked whether the file of token keys is readable."""


NO_OBSERVER = Observer()
