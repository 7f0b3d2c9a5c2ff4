"""`GET /metrics`: the same visitors as the admin endpoints, and only counts to see."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from greenroom.admin import check_visitor
from greenroom.metrics import Metrics
from greenroom.transport.front_door import Handler
from greenroom.transport.request_head import RequestHead
from greenroom.transport.responses import Response

METRICS_PATH = "/metrics"


@attrs.frozen
class MetricsDoor:
    """Without an admin token it opens to this machine; with one, to who brings it.

    `anywhere` lets other machines in, with the token only.
    """

    metrics: Metrics
    token: str | None = attrs.field(default=None, repr=False)
    anywhere: bool = False

    def routes(self) -> Mapping[str, Handler]:
        """What to add to a front door."""
        return {METRICS_PATH: self.answer}

    async def answer(self, head: RequestHead) -> Response:
        """OpenMetrics or Prometheus text, by the `Accept` header."""
        check_visitor(head, self.token, anywhere=self.anywhere and self.token is not None)
        body, content_type = self.metrics.expose(", ".join(head.all("accept")))
        return Response(200, body, content_type)
