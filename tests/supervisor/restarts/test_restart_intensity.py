from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor import Intensity
from greenroom.supervisor.restarts import RestartWindow

gaps = st.lists(st.integers(0, 4), max_size=40)


@given(gaps, st.integers(0, 5), st.integers(1, 8))
def test_the_window_bears_as_many_restarts_as_a_list_of_all_times_says(
    gaps: list[int], restarts: int, period: int
) -> None:
    """supervisor(3), Restart intensity and period: more than MaxR restarts within MaxT seconds."""
    window, now, times = RestartWindow(Intensity(restarts, period)), 0, []
    for gap in gaps:
        now += gap
        times.append(now)
        within = [time for time in times if now - time <= period]
        assert window.record(now) == (len(within) <= restarts)
        assert window.budget(now) == max(0, restarts - len(within))


@given(gaps)
def test_the_window_keeps_no_more_times_than_it_needs(gaps: list[int]) -> None:
    """supervisor.erl, add_restart/1: restarts that are out of the period are forgotten."""
    window, now = RestartWindow(Intensity(2, 3)), 0
    for gap in gaps:
        now += gap
        if not window.record(now):
            break
    assert len(window._times) <= 3


def test_the_budget_comes_back_when_the_period_has_passed() -> None:
    """Beyond OTP: how many restarts are left can be asked."""
    window = RestartWindow(Intensity(1, 5.0))
    window.record(0.0)
    assert [window.budget(now) for now in (0.0, 5.0, 5.1)] == [0, 0, 1]
