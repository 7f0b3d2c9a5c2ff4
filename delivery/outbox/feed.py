"""One connection's place in its user's log, and the commands that the outbox returns (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import attrs

from greenroom.delivery.events.ids import ConnectionId, SessionId
from greenroom.delivery.events.record import Record
from greenroom.delivery.outbox.redelivery import Circuit, Patience, Redelivery

FRAME_EVENTS, FRAME_BYTES = 128, 256 * 1024


@attrs.frozen
class OutboxLimits:
    """How far a live connection may fall behind, and how many connections a user may have.

    A connection is handed frames of at most `frame_events` and `frame_bytes`, or of one larger
    event. `memory_frames` of the newest events and the cursors of the newest `sessions` are kept
    in memory; the journal has the rest. Cursors are written beside events every `cursor_interval`
    seconds; 0 writes them beside each. When more than `lag_events` or `lag_bytes` wait for a live
    connection, its progress events are folded.
    """

    backlog_events: int = 10_000
    backlog_bytes: int = 16 * 1024 * 1024
    lag_events: int = FRAME_EVENTS
    lag_bytes: int = FRAME_BYTES
    connections: int = 20
    frame_events: int = FRAME_EVENTS
    frame_bytes: int = FRAME_BYTES
    memory_frames: int = 2
    sessions: int = 256
    cursor_interval: float = 0.0
    patience: Patience = attrs.field(factory=Patience)


class HandRecords(NamedTuple):
    """Hand these records to the connection in one frame: one user's records in offset order, with
    no gaps except those that a `superseded` event explains."""

    connection: ConnectionId
    records: Sequence[Record]
    replay: bool


@attrs.frozen
class ReadPage:
    """Read the records after this offset from the journal, for this connection."""

    connection: ConnectionId
    after: int


@attrs.frozen
class TooSlow:
    """The connection is further behind than the limits allow."""

    connection: ConnectionId


@attrs.frozen
class Superseded:
    """The connection's session has moved to a newer connection."""

    connection: ConnectionId


@attrs.frozen
class ReadAgain:
    """Read the records after this offset from the journal, to send them to the connection again."""

    connection: ConnectionId
    after: int
    limit: int


@attrs.frozen
class GivenUp:
    """The connection has acknowledged nothing it was sent after `since` (clock seconds)."""

    connection: ConnectionId
    since: float


OutboxCommand = HandRecords | ReadPage | ReadAgain | TooSlow | GivenUp | Superseded


def nothing_on_its_way(_: int) -> bool:
    """The answer of a connection without a socket."""
    return False


@attrs.define
class SocketGauge:
    """The offset through which a connection has written to its socket, and whether the first event
    after an offset may still be on its way.

    `acknowledged`: whether the client acknowledges what it receives; one that does not is sent
    nothing again. `left_out`: the first event that was passed over for this client; from it on
    none counts as sent. Set by the connection and read by the user actor on demand: no message, no
    task switch.
    """

    written: int = 0
    on_its_way: Callable[[int], bool] = nothing_on_its_way
    acknowledged: bool = True
    left_out: int | None = None

    @property
    def sent(self) -> int:
        """The offset through which the client was sent everything."""
        return self.written if self.left_out is None else min(self.written, self.left_out - 1)


@attrs.frozen
class ConnectionStanding:
    """How far a connection is, for whoever looks in. `sent`, `received`: the last offsets;
    `is_moving`: bytes of what it was sent still leave, or left a moment ago; `failures`:
    redeliveries in a row that were in vain."""

    connection: ConnectionId
    session: SessionId
    sent: int
    received: int
    is_moving: bool
    circuit: Circuit
    failures: int


@attrs.define
class Feed:
    """One connection's place in the log.

    `handed`: the last offset handed to the connection. `reading_until`: the end of the log when a
    page was requested, None if no page is being read. `live`: the connection has reached the end
    of the log since it attached. `folding`: more than the lag limits have waited since it was last
    at the end. `unwritten`: frames not yet written to its socket, as (through, events, bytes).
    `noticed`: no notice of it to other nodes is on its way.
    """

    connection: ConnectionId
    session: SessionId
    handed: int
    replay_until: int
    redelivery: Redelivery
    gauge: SocketGauge = attrs.field(factory=SocketGauge)
    noticed: bool = True
    reading_until: int | None = None
    live: bool = False
    folding: bool = False
    bytes_behind: int = 0
    unwritten: list[tuple[int, int, int]] = attrs.field(factory=list)
    unwritten_events: int = 0
    unwritten_bytes: int = 0

    def has_room(self, limits: OutboxLimits) -> bool:
        """True if at most one frame is unwritten, so that the next one makes at most two."""
        return (
            self.unwritten_events <= limits.frame_events
            and self.unwritten_bytes <= limits.frame_bytes
        )

    def is_behind(self, last: int, events: int, size: int) -> bool:
        """True if more than `events` through offset `last`, or more than `size` bytes, wait."""
        return last - self.handed > events or self.bytes_behind > size

    def hand(self, through: int, events: int, size: int) -> None:
        """The connection is handed a frame through this offset; advance past it."""
        self.handed = through
        self.unwritten.append((through, events, size))
        self.unwritten_events += events
        self.unwritten_bytes += size

    def leaves_behind(self, size: int) -> None:
        """Of what waited for it, `size` bytes were handed over, maybe folded."""
        if self.live:
            behind = self.bytes_behind - size
            self.bytes_behind = behind if behind > 0 else 0

    def standing(self, received: int) -> ConnectionStanding:
        """How far its connection is, whose session has received events through `received`."""
        gauge, redelivery = self.gauge, self.redelivery
        return ConnectionStanding(
            self.connection,
            self.session,
            gauge.written,
            received,
            gauge.written > received and gauge.on_its_way(received),
            redelivery.circuit,
            redelivery.failures,
        )

    def skip_to(self, offset: int) -> None:
        """What was before this offset is trimmed. How many bytes that were is not known any more,
        so only what comes from now on counts as waiting: no connection is closed for too much."""
        self.handed, self.bytes_behind = offset - 1, 0

    def is_written(self, last: int) -> bool:
        """Whether everything through `last` was handed over and is written to the socket."""
        written = not self.unwritten or self.gauge.written >= self.unwritten[-1][0]
        return self.handed >= last and written

    def written(self, through: int) -> None:
        while self.unwritten and self.unwritten[0][0] <= through:
            _, events, size = self.unwritten.pop(0)
            self.unwritten_events -= events
            self.unwritten_bytes -= size

    def caught_up(self) -> None:
        self.live, self.folding, self.bytes_behind = True, False, 0
