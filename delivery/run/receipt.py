"""A receipt: what the emitter of an event holds, to ask how far it got."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVar

import attrs
import trio

from greenroom.actors.ref import ActorStopped, Request
from greenroom.delivery.errors import NotConfirmed, NotDisplayed, NotReceived, UserUnavailable
from greenroom.delivery.events.ids import EventId
from greenroom.delivery.events.kinds import Kind, class_of
from greenroom.delivery.events.record import Record
from greenroom.delivery.events.stages import ReceiptStage, Standing
from greenroom.delivery.user.messages import AskStanding, AwaitStage
from greenroom.supervisor.errors import SupervisorError

if TYPE_CHECKING:
    from greenroom.delivery.user.handle import UserHandle

R = TypeVar("R")

LATE = {
    ReceiptStage.RECEIVED: NotReceived,
    ReceiptStage.DISPLAYED: NotDisplayed,
    ReceiptStage.CONFIRMED: NotConfirmed,
}

WHAT_NOW = {
    ReceiptStage.RECEIVED: "it is kept, and sent again until a client of the user acknowledges it",
    ReceiptStage.DISPLAYED: "it is kept; `standing()` of its receipt tells how far it got",
    ReceiptStage.CONFIRMED: "it is kept; `standing()` of its receipt tells how far it got",
}


@attrs.frozen
class Receipt:
    """Proof that an event was accepted: it has its place and is durable.

    `at` is in milliseconds since the Unix epoch. Asking for more costs nothing until asked. Every
    question raises `UserUnavailable` when the user's actors restart or cannot be started.
    """

    event: EventId
    kind: Kind
    offset: int
    at: int
    _lease: Callable[[], AbstractAsyncContextManager[UserHandle]] = attrs.field(
        repr=False, eq=False
    )

    @classmethod
    def of(
        cls, record: Record, lease: Callable[[], AbstractAsyncContextManager[UserHandle]]
    ) -> Receipt:
        """The receipt of a record; `lease` opens the door to its user."""
        return cls(record.id, record.kind, record.offset, record.at, lease)

    async def stage(self) -> ReceiptStage:
        """The furthest that any session of the user got with it."""
        return (await self.standing()).stage

    async def standing(self) -> Standing:
        """How far each session got, and how the event ended, if it has."""
        return await self._ask(AskStanding(self.event, self.offset, class_of(self.kind)))

    async def wait_received(self, timeout: float | None = None) -> None:
        """Wait until a client of the user acknowledged the event.

        Raises `NotReceived` after `timeout` seconds; the event stays accepted all the same.
        """
        await self._wait(ReceiptStage.RECEIVED, timeout)

    async def wait_displayed(self, timeout: float | None = None) -> None:
        """Wait until a client put it before the user's eyes. Raises `NotDisplayed`."""
        await self._wait(ReceiptStage.DISPLAYED, timeout)

    async def wait_confirmed(self, timeout: float | None = None) -> None:
        """Wait until the user confirmed it; `standing()` has the verdict. Raises `NotConfirmed`."""
        await self._wait(ReceiptStage.CONFIRMED, timeout)

    async def _wait(self, stage: ReceiptStage, timeout: float | None) -> None:
        with trio.move_on_after(math.inf if timeout is None else timeout):
            await self._ask(AwaitStage(self.offset, stage))
            return
        raise LATE[stage](
            f"{self.kind} {self.event} was not {stage} within {timeout} s",
            advice=WHAT_NOW[stage],
        )

    async def _ask(self, request: Request[R]) -> R:
        try:
            async with self._lease() as user:
                return await user.actor.ask(request)
        except (ActorStopped, SupervisorError) as error:
            raise UserUnavailable(
                f"nobody can tell now how far {self.kind} {self.event} got",
                advice="ask again",
            ) from error
