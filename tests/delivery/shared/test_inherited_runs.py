"""Runs of nodes that are gone, which a node has from its beginning."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.nodes.notice import Notice
from tests.delivery.history.run_story import Author
from tests.delivery.shared.shared_place import SharedPlace


class Ending:
    """A follower that is told which runs to end."""

    def __init__(self) -> None:
        self.runs: list[tuple[UserId, RunId]] = []
        self.is_told = trio.Event()

    def appended(self, users: Sequence[UserId]) -> None:
        """It looks at runs only."""

    def noticed(self, notice: Notice) -> None:
        """As before."""

    def taken_over(self, runs: Sequence[tuple[UserId, RunId]]) -> None:
        self.runs += runs
        self.is_told.set()

    async def lease_lost(self) -> None:
        """It has no runs of its own."""


@pytest.mark.requirement("R34")
async def test_runs_that_a_node_takes_over_as_it_begins_are_ended_although_their_user_stays_away(
    place: SharedPlace,
) -> None:
    alice, ending = Author(UserId("alice"), 0), Ending()
    async with place.open() as gone:
        run = alice.run()
        await gone.append([alice.tell(0, run, Kind.USER_SAID, body="?", say=run)])
        await place.stand_still(gone)
        async with place.open() as new, trio.open_nursery() as nursery:
            nursery.start_soon(new.nodes.follow, ending)
            with trio.fail_after(30):
                await ending.is_told.wait()
            nursery.cancel_scope.cancel()
    assert ending.runs == [(alice.user, run)]
