"""What is promised of journals beside the claims of their suite."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.delivery.events.ids import EventId
from greenroom.delivery.events.record import (
    Bounds,
)
from greenroom.delivery.journal.journal import Journal, agreed_through
from greenroom.testing.journal_conformance.entries import read_offsets
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BACKENDS,
    BOB,
    IDS,
    records,
)


@given(st.randoms(use_true_random=False), st.random_module())
@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("backend", BACKENDS)
def test_appends_of_many_tasks_at_once_are_each_kept_whole(
    tmp_path_factory: pytest.TempPathFactory, backend: str, random: Random, seed: object
) -> None:
    batches = [random.randint(1, 5) for _ in range(20)]

    async def write(journal: Journal, user: Any) -> None:
        first = 1
        for size in batches:
            await journal.append(records(first, first + size - 1, user=user))
            first += size

    async def main() -> None:
        async with BACKENDS[backend](tmp_path_factory.mktemp("journal")) as journal:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write, journal, ALICE)
                nursery.start_soon(write, journal, BOB)
            for user in (ALICE, BOB):
                assert list(range(1, sum(batches) + 1)) == await read_offsets(journal, user)

    trio.run(main)


@pytest.mark.fault("D5")
@given(
    common=st.integers(0, 30),
    old=st.integers(1, 30),
    new=st.integers(0, 60),
    jitter=st.randoms(use_true_random=False),
    trimmed=st.integers(0, 40),
)
def test_no_event_of_a_restored_log_is_taken_for_one_that_a_client_has_seen(
    common: int, old: int, new: int, jitter: Random, trimmed: int
) -> None:
    """Ids sort by birth to the ms, so those of one moment come in any order."""
    ids = [IDS.new(EventId) for _ in range(common + old)]
    moments = [ids[start : start + 3] for start in range(0, len(ids), 3)]
    seen = [each for moment in moments for each in jitter.sample(moment, len(moment))]
    log = [*seen[:common], *(IDS.new(EventId) for _ in range(new))]
    bounds = Bounds(min(trimmed, len(log)) + 1 if log else 0, len(log))
    agreed = agreed_through(len(seen), seen[-1], bounds, lambda offset: log[offset - 1])
    if len(seen) >= max(1, bounds.first):
        assert agreed <= max(common, bounds.first - 1)
        assert agreed >= min(common - 3, len(log))
    else:
        assert agreed == len(seen)
