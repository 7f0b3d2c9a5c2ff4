"""One connection's way through its user's log, and what there is to do about it (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import attrs

from greenroom.delivery.events.ids import ConnectionId, SessionId
from greenroom.delivery.events.record import Record
from greenroom.delivery.outbox.redelivery import Patience, Redelivery

FRAME_EVENTS, FRAME_BYTES = 128, 256 * 1024


@attrs.frozen
class OutboxLimits:
    """How far a live connection may fall behind, and how many a user may have.

    A connection is handed frames of `frame_events` and `frame_bytes`, or of one event that is
    bigger. `memory_frames` of the newest events, and what the newest `sessions` have received,
    are kept at hand; the journal knows the rest. A live connection for which more than
    `lag_events` or `lag_bytes` wait lags: its progress events are folded.
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
    patience: Patience = attrs.field(factory=Patience)


@attrs.frozen
class HandOver:
    """Hand these records to the connection, in one frame: one user's, in offset order, without
    a gap but those that a `superseded` explains."""

    connection: ConnectionId
    records: Sequence[Record]
    replay: bool


@attrs.frozen
class ReadPage:
    """Read on from the journal after this offset, for this connection."""

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
    """Read what follows this offset once more, to be sent to the connection again."""

    connection: ConnectionId
    after: int
    limit: int


@attrs.frozen
class GivenUp:
    """The connection acknowledged nothing of what it was sent since then (seconds)."""

    connection: ConnectionId
    since: float


OutboxCommand = HandOver | ReadPage | ReadAgain | TooSlow | GivenUp | Superseded


def nothing_on_its_way(_: int) -> bool:
    """Of a connection without a socket."""
    return False


@attrs.define
class SocketGauge:
    """What a connection has written to its socket, through which offset, and whether the first
    event after an offset may still be on its way.

    Set by the connection, read by the user actor when somebody asks: no message, no task switch.
    """

    written: int = 0
    on_its_way: Callable[[int], bool] = nothing_on_its_way


@attrs.define
class Feed:
    """One connection's place in the log.

    `handed`: given to the connection through here. `reading_until`: how far the log went when a
    page was asked for, None while none is. `live`: it has been at the end since it came. `lags`:
    more than a little waited since it was last at the end. `unwritten`: what it has not yet written
    to its socket, as (through, events, bytes).
    """

    connection: ConnectionId
    session: SessionId
    handed: int
    replay_until: int
    redelivery: Redelivery
    gauge: SocketGauge = attrs.field(factory=SocketGauge)
    reading_until: int | None = None
    live: bool = False
    lags: bool = False
    bytes_behind: int = 0
    unwritten: deque[tuple[int, int, int]] = attrs.field(factory=deque)
    unwritten_events: int = 0
    unwritten_bytes: int = 0

    def has_room(self, limits: OutboxLimits) -> bool:
        """At most a frame is unwritten, so at most two are with the next one."""
        return (
            self.unwritten_events <= limits.frame_events
            and self.unwritten_bytes <= limits.frame_bytes
        )

    def is_behind(self, last: int, events: int, size: int) -> bool:
        """More than so many events, of those through `last`, or more bytes wait for it."""
        return last - self.handed > events or self.bytes_behind > size

    def hand(self, records: Sequence[Record], folded: Sequence[Record]) -> None:
        """These are done with, for the connection is given them, `folded` or as they are."""
        size = sum(len(record.body) for record in folded)
        self.handed = records[-1].offset
        self.unwritten.append((self.handed, len(folded), size))
        self.unwritten_events += len(folded)
        self.unwritten_bytes += size
        if self.live:
            taken = size if folded is records else sum(len(record.body) for record in records)
            self.bytes_behind = max(0, self.bytes_behind - taken)

    def written(self, through: int) -> None:
        while self.unwritten and self.unwritten[0][0] <= through:
            _, events, size = self.unwritten.popleft()
            self.unwritten_events -= events
            self.unwritten_bytes -= size

    def caught_up(self) -> None:
        self.live, self.lags, self.bytes_behind = True, False, 0
