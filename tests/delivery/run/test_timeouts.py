"""The hierarchy of time-outs: what fits into what, and what does not start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.run.timeouts import (
    GRACE_SECONDS,
    LEAST_AGENT_SECONDS,
    MARGIN_SECONDS,
    Tier,
    Timeouts,
    TimeoutsClash,
)

SECONDS = st.floats(min_value=0.1, max_value=10_000)


@pytest.mark.requirement("R11")
@given(tier=st.sampled_from(Tier), agent=SECONDS, connection=SECONDS)
def test_a_hierarchy_that_can_be_made_holds(tier: Tier, agent: float, connection: float) -> None:
    try:
        timeouts = Timeouts(tier=tier, agent_seconds=agent, connection_seconds=connection)
    except TimeoutsClash:
        assert (
            agent < LEAST_AGENT_SECONDS[tier]
            or agent + MARGIN_SECONDS > connection
            or connection < 37.5
        )
    else:
        assert timeouts.agent_seconds + MARGIN_SECONDS <= timeouts.connection_seconds
        assert timeouts.agent_seconds >= LEAST_AGENT_SECONDS[tier]


@pytest.mark.requirement("R11")
def test_the_tiers_give_a_run_40_and_60_seconds_at_least() -> None:
    assert LEAST_AGENT_SECONDS == {Tier.STANDARD: 40.0, Tier.ENTERPRISE: 60.0}
    Timeouts(agent_seconds=40, connection_seconds=45)
    for tier, agent in [(Tier.STANDARD, 39.9), (Tier.ENTERPRISE, 59.9)]:
        with pytest.raises(TimeoutsClash, match="agent_seconds") as caught:
            Timeouts(tier=tier, agent_seconds=agent)
        assert [(each.lower, each.upper) for each in caught.value.clashes] == [
            ("agent_seconds", "tier")
        ]


@pytest.mark.requirement("R11")
def test_the_limit_of_a_run_and_the_margin_fit_into_what_a_client_waits() -> None:
    with pytest.raises(TimeoutsClash) as caught:
        Timeouts(agent_seconds=100, connection_seconds=104.9)
    assert str(caught.value) == (
        "agent_seconds: 100 s and 5 s of margin exceed the 104.9 s of connection_seconds"
    )


@pytest.mark.parametrize(
    ("name", "given_"),
    [("heartbeat", {"heartbeat": 31}), ("hello_deadline", {"hello_deadline": 36})],
)
def test_what_notices_a_dead_peer_is_quicker_than_what_waits_for_a_run(
    name: str, given_: dict[str, float]
) -> None:
    with pytest.raises(TimeoutsClash) as caught:
        Timeouts(agent_seconds=40, connection_seconds=45, **given_)
    assert [each.lower for each in caught.value.clashes] == [name]


def test_every_clash_is_told_at_once() -> None:
    with pytest.raises(TimeoutsClash) as caught:
        Timeouts(agent_seconds=30, connection_seconds=20, heartbeat=30, hello_deadline=30)
    assert len(caught.value.clashes) == 4


@pytest.mark.requirement("R11")
def test_a_run_may_choose_its_limit_within_the_tier() -> None:
    timeouts = Timeouts(tier=Tier.ENTERPRISE, agent_seconds=100, connection_seconds=200)
    assert timeouts.run_limit() == 100
    assert (timeouts.run_limit(60), timeouts.run_limit(195)) == (60, 195)
    for seconds in (59.9, 195.1, float("nan")):
        with pytest.raises(ValueError, match="from 60 to 195 for a run on tier enterprise"):
            timeouts.run_limit(seconds)


def test_a_run_that_does_not_stop_is_ended_before_its_client_gives_up() -> None:
    assert GRACE_SECONDS < MARGIN_SECONDS
