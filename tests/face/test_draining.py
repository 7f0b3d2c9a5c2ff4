"""When clients are asked back: spread over more time the more of them there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.draining import RECONNECTS_PER_SECOND, reconnect_times


@pytest.mark.requirement("R27")
@given(connections=st.integers(0, 1_000_000))
def test_no_more_come_back_each_second_than_a_server_takes(connections: int) -> None:
    times = reconnect_times(connections)
    assert times.after_ms == 500
    assert times.jitter_ms >= 2_000, "also a few do not come all at once"
    assert connections / (times.jitter_ms / 1_000) <= RECONNECTS_PER_SECOND * 1.001


def test_ten_thousand_come_back_within_twenty_seconds() -> None:
    assert reconnect_times(10_000).jitter_ms == 20_000
