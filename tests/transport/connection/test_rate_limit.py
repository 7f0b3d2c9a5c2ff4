"""The token bucket."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.transport.connection.socket.rate_limit import (
    FrameRates,
    SharedBuckets,
    TokenBucket,
)


def test_a_full_bucket_allows_a_burst_and_no_more():
    bucket = TokenBucket(rate=1, burst=3, now=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]


def test_a_refusal_takes_nothing():
    bucket = TokenBucket(rate=1, burst=3, now=0)
    assert not bucket.take(0, 4)
    assert bucket.take(0, 3)


def test_it_refills_at_its_rate_up_to_the_burst():
    bucket = TokenBucket(rate=2, burst=3, now=0)
    assert bucket.take(0, 3)
    assert bucket.level(1) == 2
    assert bucket.level(100) == 3


def test_a_clock_that_steps_back_earns_nothing():
    bucket = TokenBucket(rate=1, burst=1, now=10)
    assert bucket.take(10)
    assert not bucket.take(5)
    assert not bucket.take(10.5)
    assert bucket.take(11)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_that_could_never_give_is_refused(rate, burst):
    with pytest.raises(ValueError, match="above 0"):
        TokenBucket(rate, burst, now=0)


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_no_more_is_taken_in_any_time_than_burst_plus_rate(gaps, rate, burst):
    bucket, now, taken = TokenBucket(rate, burst, now=0), 0.0, 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now)
    assert taken <= burst + rate * now + 1e-6


def test_a_bucket_is_shared_while_held_and_forgotten_with_its_last_holder():
    buckets = SharedBuckets(rate=1, burst=1)
    first, second = buckets.of("alice", now=0), buckets.of("alice", now=0)
    assert first.take(0)
    assert not second.take(0)
    assert buckets.of("bob", now=0).take(0)
    del first, second
    gc.collect()
    assert buckets.of("alice", now=0).take(0)


def test_a_frame_that_did_not_count_leaves_its_place_to_the_next_one():
    rates = FrameRates(TokenBucket(1.0, 2, now=0.0), TokenBucket(1.0, 9, now=0.0), lambda: 0.0)
    assert rates.allow()
    rates.put_back()
    rates.put_back()
    assert [rates.allow() for _ in range(3)] == [True, True, False]
