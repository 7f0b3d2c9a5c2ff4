"""What the observer shows of the journal as a whole: dead letters and usage."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from greenroom.admin.guard import Guard
from greenroom.delivery.journal.journal import Journal
from greenroom.observer.letters_door import LettersDoor
from greenroom.observer.usage_counts import UsageCounts
from greenroom.observer.usage_door import UsageDoor
from greenroom.transport.door.paths import Handler


def journal_routes(
    journal: Journal, guard: Guard, key: str, wall_clock: Callable[[], float]
) -> Mapping[str, Handler]:
    """The routes to add to an admin door. `key` makes the pseudonyms of users."""
    counts = UsageCounts(journal, lambda: round(wall_clock() * 1000))
    return {**LettersDoor(journal, guard).routes(), **UsageDoor(counts, guard, key).routes()}
