from __future__ import annotations

import pytest

from greenroom.supervisor import Strategy


@pytest.mark.parametrize(
    ("strategy", "affected"),
    [
        (Strategy.ONE_FOR_ONE, ("b",)),
        (Strategy.ONE_FOR_ALL, ("a", "b", "c")),
        (Strategy.REST_FOR_ONE, ("b", "c")),
    ],
)
def test_each_strategy_names_whom_it_restarts_in_start_order(
    strategy: Strategy, affected: tuple[str, ...]
) -> None:
    """supervisor(3), Restart Strategies."""
    assert affected == strategy.affected(["a", "b", "c"], "b")


def test_one_for_one_does_not_look_through_the_siblings() -> None:
    """Beyond OTP: a crash among 10,000 children costs what one among ten does."""
    siblings = iter(["a", "b"])
    Strategy.ONE_FOR_ONE.affected(siblings, "b")
    assert list(siblings) == ["a", "b"]
