"""The queue that is fair between those who put something in."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.journal.fair_queue import FairQueue

KEYS = st.sampled_from("abc")


@pytest.mark.fault("S11")
@given(st.lists(KEYS | st.none(), max_size=60))
def test_keys_take_turns_and_each_keeps_its_order(steps: list[str | None]) -> None:
    """`None` takes, a key puts. Before a waiting key is served, no other is served twice."""
    queue: FairQueue[tuple[str, int]] = FairQueue(each=100)
    waiting: dict[str, list[int]] = {}
    passed_over: Counter[tuple[str, str]] = Counter()
    for number, key in enumerate(steps):
        if key is not None:
            assert queue.put(key, (key, number))
            waiting.setdefault(key, []).append(number)
        elif any(waiting.values()):
            served, taken = queue.take()
            assert taken == waiting[served].pop(0)
            for other in [each for each, own in waiting.items() if own and each != served]:
                passed_over[other, served] += 1
                assert passed_over[other, served] <= 1
            for pair in [each for each in passed_over if each[0] == served]:
                del passed_over[pair]
        assert len(queue) == sum(map(len, waiting.values()))


@pytest.mark.fault("S11")
def test_of_one_key_no_more_wait_than_may() -> None:
    queue: FairQueue[int] = FairQueue(each=2)
    assert [queue.put("a", number) for number in range(4)] == [True, True, False, False]
    assert queue.put("b", 9)
    assert [queue.take() for _ in range(3)] == [0, 9, 1]
    with pytest.raises(LookupError):
        queue.take()
