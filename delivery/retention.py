"""Retention beside the server: passes through the journal, in small steps with long rests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Never, Protocol

import attrs
import trio

from greenroom.delivery.errors import JournalError
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.nodes import Shared, leads
from greenroom.delivery.journal.retention.cutoffs import (
    BEGINNING,
    Cutoffs,
    Retention,
    Swept,
    SweptTo,
)
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.user.parts import wall_clock_ms

logger = logging.getLogger("greenroom.delivery")

PASS_SECONDS: Final = 60.0
"""Seconds before each pass, also before the first one: a clock may be set after the start."""

SHARE: Final = 0.05
"""The most of its time that the journal's thread spends on a pass."""

REST_SECONDS: Final = 0.01
LONGEST_REST: Final = 0.05
"""The shortest and the longest rest between two steps. The longest is for busy machines, where a
step takes long because others run: what is due must go even so."""


class Sweepable(Shared, Protocol):
    """What is swept: a `Journal`."""

    async def sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept: ...


class Told(Protocol):
    """Who must know what is gone: the active users."""

    def trimmed(self, user: UserId, through: int) -> None: ...


@attrs.frozen
class Sweeping:
    """Forgets what is due; run `sweep` as a child of the tree.

    It keeps nothing in memory: where it was stopped, or the process was, the next pass finds what
    is left to forget.
    """

    journal: Sweepable
    retention: Retention
    users: Told
    observer: Observer = NO_OBSERVER
    now_ms: Callable[[], int] = wall_clock_ms

    async def sweep(self) -> Never:
        """Make a pass through the journal every `PASS_SECONDS`."""
        while True:
            await trio.sleep(PASS_SECONDS)
            try:
                if leads(self.journal):
                    await self.make_pass()
            except JournalError as error:
                logger.warning("the journal cannot forget old events now: %s", error)

    async def make_pass(self) -> None:
        """Forget all that is due now. Raises `JournalError`s."""
        cutoffs, events, sessions = self.retention.at(self.now_ms()), 0, 0
        place: SweptTo | None = BEGINNING
        while place is not None:
            swept = await self._step(cutoffs, place)
            place = swept.next
            events, sessions = events + swept.events, sessions + swept.sessions
        if events or sessions:
            logger.info("forgot %d events and %d sessions that were due", events, sessions)

    async def _step(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        swept = await self.journal.sweep(cutoffs, place)
        self.observer.swept(swept.seconds, swept.events, swept.sessions)
        for user, through in swept.trimmed.items():
            self.users.trimmed(user, through)
        if swept.next is not None:
            await trio.sleep(min(max(REST_SECONDS, swept.seconds / SHARE), LONGEST_REST))
        return swept
