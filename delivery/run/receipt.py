"""Receipts: how far an event got, and how far a run requires its events to get."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar

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
Lease: TypeAlias = "Callable[[], AbstractAsyncContextManager[UserHandle]]"
"""Leases a user for the length of a block."""

LATE = {
    ReceiptStage.RECEIVED: NotReceived,
    ReceiptStage.DISPLAYED: NotDisplayed,
    ReceiptStage.CONFIRMED: NotConfirmed,
}

WHAT_NOW = {
    ReceiptStage.RECEIVED: "it is kept, and sent again until a client of the user acknowledges it",
    ReceiptStage.DISPLAYED: "it is kept; `standing()` of its receipt shows how far it got",
    ReceiptStage.CONFIRMED: "it is kept; `standing()` of its receipt shows how far it got",
}


@attrs.define(unsafe_hash=True)  # not frozen: that doubles what one costs
class Receipt:
    """Proof that an event was accepted: it has an offset and is durable.

    `at` is in milliseconds since the Unix epoch. A receipt costs nothing until it is used. Every
    method raises `UserUnavailable` if the user's actors restart or cannot be started.
    """

    event: EventId
    kind: Kind
    offset: int
    at: int
    _lease: Lease = attrs.field(repr=False, eq=False)

    @classmethod
    def of(cls, record: Record, lease: Lease) -> Receipt:
        """The receipt of a record; `lease` leases its user."""
        return cls(record.id, record.kind, record.offset, record.at, lease)

    async def stage(self) -> ReceiptStage:
        """The furthest stage that the event reached in any session of the user."""
        return (await self.standing()).stage

    async def standing(self) -> Standing:
        """The stage that the event reached in each session, and its outcome, if it has one."""
        return await self._ask(AskStanding(self.event, self.offset, class_of(self.kind)))

    async def wait_received(self, timeout: float | None = None) -> None:
        """Wait until a client of the user acknowledged the event.

        Raises `NotReceived` after `timeout` seconds; the event stays accepted all the same.
        """
        await self._wait(ReceiptStage.RECEIVED, timeout)

    async def wait_displayed(self, timeout: float | None = None) -> None:
        """Wait until a client displayed the event. Raises `NotDisplayed` after `timeout`."""
        await self._wait(ReceiptStage.DISPLAYED, timeout)

    async def wait_confirmed(self, timeout: float | None = None) -> None:
        """Wait until the user confirmed the event; `standing()` has the verdict. Raises
        `NotConfirmed` after `timeout`."""
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
                f"how far {self.kind} {self.event} got is not known while the user's actors are "
                "not running",
                advice="ask again",
            ) from error


class Requirement:
    """How soon each event of a run must be displayed, in seconds; None if it need not be."""

    def __init__(self) -> None:
        self.displayed_within: float | None = None

    async def check(self, receipt: Receipt) -> Receipt:
        """Return the receipt once its event meets the requirement. Raises `NotDisplayed`."""
        if self.displayed_within is not None:
            await receipt.wait_displayed(self.displayed_within)
        return receipt

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Require nothing for the length of the block."""
        with self.set(None):
            yield

    def set(self, displayed_within: float | None) -> Required:
        """Set the requirement from now on, or until the end of the block if used as one. Raises
        `ValueError` if `displayed_within` is not a number of seconds."""
        if displayed_within is not None and not _is_time(displayed_within):
            raise ValueError(
                "`displayed_within` must be a number of seconds, 0 or more, "
                f"not {displayed_within!r}"
            )
        before, self.displayed_within = self.displayed_within, displayed_within
        return Required(self, before)


class Required:
    """A requirement that was set; leaving it as a block restores the one before it."""

    def __init__(self, requirement: Requirement, before: float | None) -> None:
        self._requirement = requirement
        self._before = before

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._requirement.displayed_within = self._before

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        self._requirement.displayed_within = self._before


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
