"""Passes of retention over a journal, and what users have settled before."""

from __future__ import annotations

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import Settled
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs, Swept, SweptTo
from tests.delivery.journal.journal_conformance import ALICE


def settled(through: int, *, user: UserId = ALICE) -> list[Settled]:
    return [Settled(user, each, through) for each in EventClass]


async def sweep(journal: Journal, cutoffs: Cutoffs) -> list[Swept]:
    """A whole pass."""
    steps: list[Swept] = []
    place: SweptTo | None = BEGINNING
    while place is not None:
        steps.append(await journal.sweep(cutoffs, place))
        place = steps[-1].next
    return steps
