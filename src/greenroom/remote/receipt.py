"""Receipts of events that another process emitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import anyio
import attrs

from greenroom.delivery.events.ids import EventId, SessionId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.stages import Outcome, ReceiptStage, SessionStanding, Standing
from greenroom.delivery.run.receipt import LATE, WHAT_NOW
from greenroom.remote.requests import Asking

POLL_SECONDS: Final = 20.0


@attrs.frozen
class RemoteReceipt:
    """Proof that an event was accepted, with the fields and methods of `Receipt`. Every method
    raises what requests to the server raise, too."""

    event: EventId
    kind: Kind
    offset: int
    at: int
    _server: Asking = attrs.field(repr=False, eq=False)

    @classmethod
    def of(cls, said: Mapping[str, Any], server: Asking) -> RemoteReceipt:
        """The receipt in a server's answer."""
        event, kind = EventId.trusted(said["event"]), Kind(said["kind"])
        return cls(event, kind, int(said["offset"]), int(said["at"]), server)

    async def stage(self) -> ReceiptStage:
        """The furthest stage that the event reached in any session of the user."""
        return (await self.standing()).stage

    async def standing(self) -> Standing:
        """The stage that the event reached in each session, and its outcome, if it has one."""
        said = await self._server.get(f"/api/events/{self.event}")
        sessions = tuple(
            SessionStanding(
                SessionId.trusted(each["session"]),
                ReceiptStage[each["stage"].upper()],
                each["verdict"],
                each["note"],
            )
            for each in said["sessions"]
        )
        outcome = Outcome(said["outcome"]) if said["outcome"] else None
        return Standing(ReceiptStage[said["stage"].upper()], sessions, outcome)

    async def wait_received(self, timeout: float | None = None) -> None:
        """Wait until a client of the user acknowledged the event. Raises `NotReceived` after
        `timeout` seconds; the event stays accepted all the same."""
        await self._wait(ReceiptStage.RECEIVED, timeout)

    async def wait_displayed(self, timeout: float | None = None) -> None:
        """Wait until a client displayed the event. Raises `NotDisplayed` after `timeout`."""
        await self._wait(ReceiptStage.DISPLAYED, timeout)

    async def wait_confirmed(self, timeout: float | None = None) -> None:
        """Wait until the user confirmed the event. Raises `NotConfirmed` after `timeout`."""
        await self._wait(ReceiptStage.CONFIRMED, timeout)

    async def _wait(self, stage: ReceiptStage, timeout: float | None) -> None:
        until = math.inf if timeout is None else anyio.current_time() + timeout
        while True:
            wait = max(0.0, min(POLL_SECONDS, until - anyio.current_time()))
            path = f"/api/events/{self.event}"
            if (await self._server.get(path, wait=wait, stage=str(stage)))["reached"]:
                return
            if anyio.current_time() >= until:
                raise LATE[stage](
                    f"{self.kind} {self.event} was not {stage} within {timeout} s",
                    advice=WHAT_NOW[stage],
                )
