"""A receipt: what the emitter of an event holds, to ask how far it got."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from greenroom.actors.errors import ActorStopped
from greenroom.actors.ref import Ref
from greenroom.delivery.errors import NotReceived, UserUnavailable
from greenroom.delivery.events import Kind
from greenroom.delivery.ids import EventId
from greenroom.delivery.user_messages import AwaitReceived, FromRun
from greenroom.supervisor.errors import SupervisorError


@attrs.frozen
class Receipt:
    """Proof that an event was accepted: it has its place and is durable.

    `at` is in milliseconds since the Unix epoch. Asking for more costs nothing until asked.
    """

    event: EventId
    kind: Kind
    offset: int
    at: int
    _actor: Callable[[], Ref[FromRun]] = attrs.field(repr=False, eq=False)

    async def wait_received(self, timeout: float | None = None) -> None:
        """Wait until a client of the user acknowledged the event.

        Raises `NotReceived` after `timeout` seconds; the event stays accepted all the same.
        Raises `UserUnavailable` when the user's actors restart or have stopped for want of use.
        """
        with trio.move_on_after(float("inf") if timeout is None else timeout):
            await self._ask()
            return
        raise NotReceived(
            f"{self.kind} {self.event} was not acknowledged within {timeout} s",
            advice="it is kept, and delivered when a client of the user connects",
        )

    async def _ask(self) -> None:
        try:
            await self._actor().ask(AwaitReceived(self.offset))
        except (ActorStopped, SupervisorError) as error:
            raise UserUnavailable(
                f"nobody can tell now whether {self.kind} {self.event} was received",
                advice="ask again",
            ) from error
