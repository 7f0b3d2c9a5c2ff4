"""A user's actor whose mailbox is full, as long as a test needs that."""

from __future__ import annotations

from collections import deque

import attrs
import pytest

from greenroom.actors.errors import MailboxFull
from greenroom.actors.reactors.dispatcher import Cell, Dispatcher, default_dispatcher
from greenroom.delivery.events.ids import ConnectionId
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import Detach
from tests.delivery.backstage import IDS


class NotDue(deque[Cell]):
    """Cells that seem to be none."""

    def __bool__(self) -> bool:
        return False


@attrs.define
class HeldBack:
    """The reactors of a trio run that have something to do, and no turn until `release`."""

    dispatcher: Dispatcher = attrs.field(factory=default_dispatcher)

    def __attrs_post_init__(self) -> None:
        self.dispatcher._due = NotDue(self.dispatcher._due)

    def release(self) -> None:
        self.dispatcher._due = deque(self.dispatcher._due)
        self.dispatcher._wake()


async def fill(user: UserHandle) -> HeldBack:
    """Let the user's actor take nothing more until released, and its mailbox be full."""
    held, stranger = HeldBack(), Detach(IDS.new(ConnectionId))
    while not user.actor._mailbox.is_full:
        user.actor.tell(stranger)
    with pytest.raises(MailboxFull):
        user.actor.tell(stranger)
    return held
