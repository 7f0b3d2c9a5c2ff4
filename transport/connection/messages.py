"""What a connection actor gets as messages, besides the news of its user actor (pure)."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from greenroom.delivery.user.messages import ConnectionNews
from greenroom.transport.connection.machine.events import (
    Disconnected,
    Draining,
    FrameRefused,
    Overstepped,
    SocketGone,
)
from greenroom.transport.protocol import wire


@attrs.frozen
class Flooded:
    """The client sent more frames than it may. The frames before it came as messages."""


@attrs.frozen
class Answered:
    """The answer to a question that the connection asked: an event for the machine."""

    event: object


ConnectionMessage: TypeAlias = (
    ConnectionNews
    | wire.ClientFrame
    | FrameRefused
    | Overstepped
    | Flooded
    | Answered
    | Draining
    | Disconnected
    | SocketGone
)
