"""A user's actor that takes nothing more, for the tests of what waits for it."""

from __future__ import annotations

import pytest
import trio.testing

from greenroom.actors.errors import MailboxFull
from greenroom.delivery.events.ids import ConnectionId
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import Detach
from greenroom.testing import Faults
from tests.delivery.backstage import IDS


async def fill(user: UserHandle) -> Faults:
    """Let the user's actor take nothing more until released, and its mailbox be full."""
    faults, actor, stranger = Faults(), user.actor._actor, Detach(IDS.new(ConnectionId))
    assert actor is not None
    faults.deaf(lambda: actor)()
    user.actor.tell(stranger)
    await trio.testing.wait_all_tasks_blocked()  # it holds that one
    while not user.actor._mailbox.is_full:
        user.actor.tell(stranger)
    with pytest.raises(MailboxFull):
        user.actor.tell(stranger)
    return faults
