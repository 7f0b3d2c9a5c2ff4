"""The last hour of a server, in points of ten seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.admin.overview_door import OVERVIEW
from greenroom.metrics.last_hour import EVERY, POINTS, LastHour, Totals, quantile
from tests.face.http_get import get
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

pytestmark = [pytest.mark.requirement("R38")]

EDGES = (0.1, 1.0, 10.0)


class Counted:
    """Totals that a test sets."""

    def __init__(self) -> None:
        self.events, self.buckets = 0, [0, 0, 0, 0]

    def take(self) -> Totals:
        return Totals({"sent": self.events}, {"ready": 1}, {"seconds": tuple(self.buckets)})


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_a_point_is_what_happened_in_its_ten_seconds(counted: Counted) -> None:
    hour = LastHour(counted.take, {"seconds": EDGES})
    hour.second(0.0)
    counted.events, counted.buckets = 50, [0, 4, 0, 0]
    for second in range(EVERY):
        hour.second(0.5 if second == 3 else 0.0)
    for _ in range(EVERY):
        hour.second(0.0)
    first, second_point = hour.points()
    assert (first.rates["sent"], first.lag, first.levels["ready"]) == (5.0, 0.5, 1)
    assert first.times["seconds"] == (quantile([0, 4, 0, 0], EDGES, 0.5), pytest.approx(0.991))
    assert (second_point.rates["sent"], second_point.lag) == (0.0, 0.0)
    assert second_point.times["seconds"] is None


def test_only_an_hour_is_kept(counted: Counted) -> None:
    hour = LastHour(counted.take, {"seconds": EDGES})
    for _ in range(2 * POINTS * EVERY):
        hour.second(0.0)
    assert len(list(hour.points())) == POINTS


@given(st.lists(st.integers(0, 5), min_size=4, max_size=4).filter(any), st.floats(0.001, 1.0))
def test_a_quantile_lies_in_the_bucket_where_its_share_is_reached(
    counts: list[int], share: float
) -> None:
    found = quantile(counts, EDGES, share)
    rank = share * sum(counts)
    reached = next(at for at in range(4) if sum(counts[: at + 1]) >= rank - 1e-9)
    low, high = (0.0, *EDGES)[min(reached, 3)], (*EDGES, EDGES[-1])[reached]
    assert min(low, high) - 1e-9 <= found <= high + 1e-9
    assert math.isfinite(found)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN) as server:
        yield server


def test_a_server_shows_what_it_does_now_and_did_in_the_last_hour(server: Server) -> None:
    metrics = server.runtime.metrics
    assert metrics is not None

    def pass_seconds() -> None:
        for _ in range(EVERY):
            metrics.lagged(0.001)

    server.run_sync(pass_seconds)
    with Client(server.port, token_for("alice")) as tab:
        tab.hello()
        offset = tab.story()[-1]["offset"]
        tab.send("ack", offset=offset)
        tab.fence()
        server.run_sync(pass_seconds)
        status, body, _ = get(server, OVERVIEW)
    answer = orjson.loads(body)
    assert (status, answer["schema"]) == (200, "greenroom.overview/1")
    (ready,) = [e for e in answer["now"]["connections"] if e["labels"] == ["ready"]]
    assert ready["value"] == 1
    assert answer["so_far"]["accepted"] == offset
    assert answer["fullest"] == []
    assert {each["state"] for each in answer["alerts"]} == {"quiet", "unknown"}
    hour = answer["hour"]
    assert hour["rates"]["accepted"][-1] == offset / EVERY
    assert hour["rates"]["received"][-1] == offset / EVERY
    assert hour["levels"]["ready"][-1] == 1
    assert hour["p99"]["received_seconds"][-1] > 0
    assert hour["p99"]["displayed_seconds"][-1] is None
    assert get(server, OVERVIEW, token_for("alice"))[0] == 401
