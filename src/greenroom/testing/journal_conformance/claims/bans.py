"""What every journal keeps of the users that the service refuses."""

from __future__ import annotations

import pytest

from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.ids import BadId, UserId
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import RUNS, record
from greenroom.testing.same import same

ALICE, BOB, CAROL = map(UserId, ("alice", "bob", "carol"))


class BanClaims(JournalBackend):
    """Claims about users that are refused."""

    @of_a_journal
    async def test_the_newest_ban_of_each_user_is_kept_in_the_order_of_users(
        self, journal: Journal
    ) -> None:
        await journal.append([Ban(BOB, 50, 1), Ban(ALICE, 60, 1)])
        await journal.append([Ban(BOB, 70, 2), Ban(CAROL, 80, 2)])
        kept = [Ban(ALICE, 60, 1), Ban(BOB, 70, 2), Ban(CAROL, 80, 2)]
        same(await journal.bans(limit=9), kept)
        same(await journal.bans(limit=2), kept[:2])
        same(await journal.bans(after=ALICE, limit=1), kept[1:2])
        same(await journal.bans(after=CAROL, limit=1), [])

    @of_a_journal
    async def test_what_is_over_is_forgotten_with_the_next_one(self, journal: Journal) -> None:
        await journal.append([Ban(ALICE, 50, 1), Ban(BOB, 90, 1)])
        await journal.append([Ban(CAROL, 90, 50)])
        same(await journal.bans(limit=9), [Ban(BOB, 90, 1), Ban(CAROL, 90, 50)])
        await journal.append([Ban(BOB, 60, 60)])
        same(await journal.bans(limit=9), [Ban(CAROL, 90, 50)])

    @of_a_journal
    async def test_a_ban_of_no_user_is_refused(self, journal: Journal) -> None:
        with pytest.raises(BadId, match="user"):
            await journal.append([Ban(RUNS[0], 2, 1)])  # type: ignore[arg-type]  # the mistake

    @of_a_journal
    async def test_erasing_a_user_forgets_the_ban(self, journal: Journal) -> None:
        await journal.append([record(1), Ban(record(1).user, 50, 1)])
        while await journal.erase_user_soon(record(1).user).wait():
            pass
        same(await journal.bans(limit=9), [])
