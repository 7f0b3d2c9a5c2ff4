"""The numbers on `/metrics` of a server of the tests."""

from __future__ import annotations

import math
from typing import TypeAlias

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.face.http_get import get
from tests.protocol.server import Server

Samples: TypeAlias = dict[str, dict[tuple[str, ...], float]]


def parsed(text: str) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values = tuple(value for _, value in sorted(sample.labels.items()))
            samples.setdefault(sample.name, {})[values] = sample.value
    return samples


class Scrape:
    """The numbers of a server; `value` sums all series that have the given label values."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def value(self, name: str, *labels: str) -> float:
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        status, body, _ = get(self._server, "/metrics", None, **accept)
        assert status == 200, body
        series = parsed(body.decode())[f"greenroom_{name}"]
        return sum(value for key, value in series.items() if set(labels) <= {*key})

    def wait(self, name: str, *labels: str, at_least: float = 1, at_most: float = math.inf) -> None:
        """Return once the number is there. Raises `trio.TooSlowError`."""
        metrics = self._server.runtime.metrics
        assert metrics is not None

        def there() -> bool:
            text = metrics.expose("application/openmetrics-text")[0].decode()
            series = parsed(text)[f"greenroom_{name}"]
            value = sum(v for key, v in series.items() if set(labels) <= {*key})
            return at_least <= value <= at_most

        self._server.wait_until(there)
