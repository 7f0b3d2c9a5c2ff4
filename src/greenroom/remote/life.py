"""The life of a remote run: what the server said last of it, and what waits for more."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import anyio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.attempts.run_usage import UsageSums
from greenroom.delivery.run.pressure import Pressure
from greenroom.remote.lane import RemoteLane
from greenroom.remote.receipt import RemoteReceipt
from greenroom.remote.requests import Asking
from greenroom.services.problems import RunOver

ENDED: Final = frozenset({"completed", "cancelled", "failed", "lost", "timed_out", "over"})
LONGEST_POLL: Final = 20.0

LAST_SECONDS: Final = 10.0
"""Seconds that the last requests of a run, and of its blocks, may take, even if it is cancelled."""

logger = logging.getLogger("greenroom.remote")


class RemoteLife:
    """The state of one run. `scope` is cancelled when the run is stopped."""

    def __init__(self, requests: Asking, begun: Mapping[str, Any]) -> None:
        self.requests = requests
        self.path = f"/api/runs/{begun['run']}"
        self.scope = anyio.CancelScope()
        self.lane = RemoteLane(requests, begun["run"], begun["user"], self._heard)
        self.state: Mapping[str, Any] = begun
        self.usage = UsageSums()
        self._is_cancelled = False
        self._news = anyio.Event()

    @property
    def cancelled(self) -> bool:
        """Whether the user stopped the run, or its own code did."""
        return self._is_cancelled or self.state["state"] == "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the server has ended the run."""
        return self.state["state"] in ENDED

    @property
    def pressure(self) -> Pressure:
        """How well the user's clients keep up, as the server said last."""
        return Pressure(self.state["pressure"])

    def cancel(self) -> None:
        """Cancel the run's block."""
        self._is_cancelled = True
        self.scope.cancel()

    def receipt(self, said: Mapping[str, Any]) -> RemoteReceipt:
        """The receipt in an answer."""
        return RemoteReceipt.of(said, self.requests)

    async def look(self) -> None:
        """Ask the server how the run is."""
        self._heard(await self.requests.get(self.path))

    async def watch(self) -> None:
        """Hear of a stop and of answers at once, and renew the lease."""
        wait = min(self.state["lease"] / 3, LONGEST_POLL)
        while not self.ended:
            try:
                after = self.state["version"]
                self._heard(await self.requests.get(self.path, after=after, wait=wait))
            except GreenroomError as error:
                logger.warning("%s is lost: %s", self.path, error)
                self._heard({"state": "lost", "version": self.state["version"]})

    async def end_as(self, end: dict[str, JSON]) -> None:
        """End the run, or hear how it has ended."""
        words = {**end, **self.usage.field}
        self._note(await self.requests.post(f"{self.path}/end", words))

    def close(self) -> None:
        """The block is left: whatever another task still waits for, or asks for later, ends."""
        if not self.ended:
            self._note({"state": "over"})
        self.lane.close(RunOver("the run has ended", advice="begin another run"))

    def ask_state(self, ask: str) -> Mapping[str, Any]:
        """A question of the run, as the server said last."""
        withdrawn = {"ask": ask, "state": "withdrawn"}
        state = next((each for each in self.state["asks"] if each["ask"] == ask), withdrawn)
        return withdrawn if self.ended and state["state"] == "open" else state

    async def ask_ended(self, ask: str) -> Mapping[str, Any]:
        """The question once it has its end."""
        while (state := self.ask_state(ask))["state"] == "open":
            await self._news.wait()
        return state

    def _heard(self, state: Mapping[str, Any]) -> None:
        """Take a newer state, and stop the run's block if it says so."""
        if state.get("version", -1) >= self.state["version"]:
            self._note(state)
            if self.ended:
                self.scope.cancel()

    def _note(self, state: Mapping[str, Any]) -> None:
        self.state = {**self.state, **state}
        self._news.set()
        self._news = anyio.Event()
