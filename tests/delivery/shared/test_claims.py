"""The queue of runs that wait for a worker: each is one node's at a time, and users take turns."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
import trio

from greenroom.delivery.errors import LeaseLost
from greenroom.delivery.events.going_on import GoesOn, NotAgain
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.nodes import ClaimedRun
from greenroom.delivery.journal.postgres.journal import PostgresJournal
from tests.delivery.history.run_story import Author
from tests.delivery.shared.shared_place import SharedJournal, SharedPlace

COOK = ["cook"]


async def say(journal: SharedJournal, author: Author) -> RunId:
    """A message whose run waits for a worker."""
    run = author.run()
    said = author.tell(0, run, Kind.USER_SAID, body="?", say=run)
    await journal.append([said, GoesOn(author.user, run, "cook", queued=True)])
    return run


async def claim(journal: SharedJournal, most: int = 10, per_user: int = 4) -> list[RunId]:
    return [each.run for each in await journal.nodes.claims.claim(COOK, most, per_user)]


async def wait_taken_over(place: SharedPlace, gone: SharedJournal, other: SharedJournal) -> None:
    """A lease is over, and the other node finds that."""
    await place.stand_still(gone)
    await other._thread.call(partial(take_over, other))


def take_over(node: SharedJournal) -> None:
    if isinstance(node, PostgresJournal):
        node._lease.take_over(node._session.database.connection)
    else:
        node._lease.renew(node._mirror)
        node._lease.take_over(node._mirror)


async def test_each_run_is_claimed_by_one_of_two_workers_and_users_take_turns(
    place: SharedPlace,
) -> None:
    async with place.open() as web, place.open() as one, place.open() as other:
        crowd = [Author(UserId(name), salt) for salt, name in enumerate(("alice", "bob", "carol"))]
        many = [await say(web, crowd[0]) for _ in range(9)]
        few = [await say(web, each) for each in crowd[1:]]
        first = await claim(one, most=4)
        assert first == [*many[:2], *few]
        assert await claim(other) == many[2:4]
        assert await claim(one, most=4) == first
        await one.append([crowd[0].tell(1, many[0], Kind.AGENT_FAILED)])
        assert await claim(other) == many[2:5]


async def test_two_workers_that_claim_at_once_never_have_the_same_run(place: SharedPlace) -> None:
    async with place.open() as one, place.open() as other:
        runs = [await say(one, Author(UserId(f"user-{number}"), number)) for number in range(40)]
        claimed: list[RunId] = []

        async def work(journal: SharedJournal) -> None:
            for most in range(1, 21):
                mine = await claim(journal, most)
            claimed.extend(mine)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, one)
            nursery.start_soon(work, other)
        assert Counter(claimed) == Counter(runs)


async def test_a_worker_claims_the_runs_of_its_own_agents_only(place: SharedPlace) -> None:
    async with place.open() as web, place.open() as worker:
        await say(web, Author())
        assert await worker.nodes.claims.claim(["waiter"], 10, 4) == []


@pytest.mark.requirement("R56")
async def test_the_runs_of_a_worker_that_is_gone_wait_for_another_one(place: SharedPlace) -> None:
    async with place.open() as web, place.open() as frozen, place.open() as worker:
        author = Author()
        run = await say(web, author)
        assert await claim(frozen) == [run]
        part = author.run()
        await frozen.append([author.tell(1, run, Kind.AGENT_STARTED, agent="cook")])
        await frozen.append([author.tell(1, part, Kind.AGENT_STARTED, run, agent="scout")])
        await wait_taken_over(place, frozen, web)
        assert (await web.nodes.claims.withdraw("cook", 1e6)).runs == []
        with pytest.raises(LeaseLost):
            await claim(frozen)
        assert await claim(worker) == [run, part]
        ends = [author.tell(2, each, Kind.AGENT_FAILED) for each in (part, run)]
        await worker.append(ends)
        assert await claim(worker) == []


async def test_a_run_is_withdrawn_if_its_user_stopped_it_or_late_if_there_is_no_worker(
    place: SharedPlace,
) -> None:
    async with place.open() as web:
        author = Author()
        runs = [await say(web, author) for _ in range(3)]
        assert await claim(web, most=0) == []
        await web.append([NotAgain(author.user, runs[1])])
        assert (await web.nodes.claims.withdraw("cook", 0.0)).attended
        mine = await web.nodes.claims.withdraw("cook", 0.0)
        assert mine.runs == [ClaimedRun(author.user, runs[1], stopped=True)]
        assert await web.nodes.claims.claim(["waiter"], 0, 4) == mine.runs  # no cook any more
        late = await web.nodes.claims.withdraw("cook", 1e6)
        assert (late.attended, late.runs) == (False, mine.runs)
        late = await web.nodes.claims.withdraw("cook", 0.0)
        assert [each.run for each in late.runs] == runs
