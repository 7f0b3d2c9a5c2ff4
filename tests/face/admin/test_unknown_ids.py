"""What an operator mistypes wakes nobody: an unknown id is answered, and raises no alert."""

from __future__ import annotations

import pytest

from greenroom.delivery.events.ids import EventId, IdSource, RunId, ThreadId
from tests.face.http_get import get
from tests.face.metrics.scrape import Scrape
from tests.protocol.server import ADMIN, serving

IDS = IdSource()
EVENT, RUN, THREAD = IDS.new(EventId), IDS.new(RunId), IDS.new(ThreadId)

UNKNOWN = (
    "why/nobody",
    f"why/{EVENT}",
    f"why/{RUN}",
    f"why/{THREAD}",
    "users/nobody",
    "users/nobody/export",
    f"runs/{RUN}",
    f"runs/{EVENT}",
    f"explanations/{EVENT}",
    f"threads/{THREAD}",
    f"dead-letters/{EVENT}",
    "crashes/abcdefgh",
    "node?path=nobody",
)

ALERTED = ("lookups_failed_total", "id_mismatches_total", "emits_refused_total")
"""What rules count of requests."""


@pytest.mark.requirement("R42")
def test_an_id_that_nothing_has_raises_no_alert_at_any_admin_door() -> None:
    with serving(admin_token=ADMIN) as server:
        for path in UNKNOWN:
            assert get(server, f"/admin/{path}")[0] in (200, 400, 404), path
            for metric in ALERTED:
                assert Scrape(server).value(metric) == 0, (path, metric)
