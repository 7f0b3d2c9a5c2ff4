"""The plan of many users is arithmetic on what was measured."""

from __future__ import annotations

import pytest
from plan import Constants, Habits, NotMeasured, Plan, table
from side_by_side.cluster import named
from side_by_side.server import SQLITE


def data(*, event: float) -> dict[str, object]:
    def run(*tables: dict[str, dict[str, float]]) -> dict[str, object]:
        return {"tables": [_table(figures) for figures in tables]}

    event_figures = {"CPU µs/event": event, "the engine's": 100.0, "bytes/event": 1_000.0}
    return {
        "idle": run({SQLITE: {"KiB each": 50.0}}),
        "connects": run({SQLITE: {"CPU µs/connect": 3_000.0}}),
        "cluster": run({}, {named("Postgres", 4): event_figures}),
    }


def _table(figures: dict[str, dict[str, float]]) -> dict[str, object]:
    listed = {row: {name: [one] for name, one in found.items()} for row, found in figures.items()}
    return {"title": "", "base": "", "figures": listed}


def test_a_million_users_need_what_their_events_and_connects_cost() -> None:
    constants = Constants.of({"environment": {}, "runs": data(event=300.0)})
    plan = Plan(1_000_000, Habits(events_a_minute=6, connects_an_hour=3.6, busy=0.5), constants)
    assert (plan.events, plan.connects) == (100_000, 1_000)
    assert plan.node_cores == pytest.approx((100_000 * 300 + 1_000 * 3_000) / 1e6 / 0.5)
    assert plan.nodes == 66 + 1
    assert plan.engine_cores == pytest.approx(20)
    assert plan.shards == 1
    assert dict(plan.rows())["disk of Postgres a day, GB"] == "8,640"


def test_without_the_figures_the_plan_names_what_to_run() -> None:
    with pytest.raises(NotMeasured, match="--only idle` has not been run"):
        table({"environment": {}, "runs": {}})
