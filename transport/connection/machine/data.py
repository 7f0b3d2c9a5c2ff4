"""What a connection's machine keeps from one event to the next: its phase and its data (pure)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

import attrs

from greenroom.actors.machine.step import Step
from greenroom.delivery.events.ids import ConnectionId, SessionId, UserId
from greenroom.delivery.events.record import Page, Record
from greenroom.delivery.files.taken import Files
from greenroom.transport.connection.machine.events import ConnectionCommand
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.frame_limits import FrameLimits


class Phase(enum.Enum):
    """The four phases of a connection (docs/protocol.md)."""

    ACCEPTING = "accepting"
    AUTHENTICATED = "authenticated"
    READY = "ready"
    CLOSED = "closed"

    __hash__ = object.__hash__  # Enum's runs in Python, several times for each event


@attrs.frozen
class EventSender:
    """The right to send one user's events of one journal. Only entering *ready* makes it."""

    user: UserId
    epoch: str

    def frame(self, records: Sequence[Record], *, replay: bool) -> bytes:
        """Encode an `events` frame. Raises `IsolationViolation` for another user's record."""
        return wire.events(self.user, self.epoch, records, replay=replay)

    def history(self, id: str, page: Page, *, more: bool) -> bytes:  # noqa: A002  # wire's word
        """Encode the reply to a `history` request. Raises `IsolationViolation` as `frame` does."""
        return wire.reply_history(id, self.user, page.records, more=more)


@attrs.frozen
class Times:
    """The times of a connection, in seconds.

    `hello`: how long a client may take for its first frame. `heartbeat`: the time between pings;
    a client that does not answer one for half of it counts as gone. `before_expiry`: how long
    before its token expires a connection closes.
    """

    hello: float = 10.0
    heartbeat: float = 25.0
    before_expiry: float = 5.0


@attrs.frozen
class ConnectionData:
    """What a connection knows. `sender` is None until the connection is ready.

    `early`: how many seconds before its token expires it closes. `unchecked`: how many times in a
    row it could not be found out whether the token is still good. `features`: what beyond the first
    greenroom.v1 both sides know. `files`: those that the agent takes.
    """

    connection: ConnectionId
    user: UserId
    times: Times
    limits: FrameLimits = attrs.field(factory=FrameLimits)
    expires_ms: int | None = None
    early: float = 0.0
    unchecked: int = 0
    greeted: bool = False
    features: tuple[str, ...] = ()
    heard: bool = True
    session: SessionId | None = None
    files: Files | None = None
    sender: EventSender | None = None


if TYPE_CHECKING:  # so that the fields are checked
    from attrs import evolve
else:
    _NAMES = tuple(field.name for field in attrs.fields(ConnectionData))
    _values_of = attrgetter(*_NAMES)

    def evolve(data: ConnectionData, **changes: object) -> ConnectionData:
        """As `attrs.evolve`, which looks for the fields of its class each time, in Python."""
        return ConnectionData(**dict(zip(_NAMES, _values_of(data), strict=True), **changes))


__all__ = ["ConnectionData", "ConnectionStep", "EventSender", "Phase", "Times", "evolve"]

ConnectionStep: TypeAlias = Step[Phase, ConnectionData, ConnectionCommand]
