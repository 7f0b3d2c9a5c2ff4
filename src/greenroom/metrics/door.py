"""`GET /metrics`: numbers for visitors with the admin token, or for all if a setting opens it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from greenroom.metrics.counts import Metrics
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response
from greenroom.visitors import VisitorTokens, check_visitor

METRICS_PATH = "/metrics"
CLOSED = "/metrics is closed: set admin_token and send it as a bearer token, or set metrics_open."


@attrs.frozen
class MetricsDoor:
    """Admits requests of this machine with a token. `anywhere` admits other machines, too.

    If `is_open`, no token is needed.
    """

    metrics: Metrics
    tokens: VisitorTokens | None = None
    anywhere: bool = False
    is_open: bool = False

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to a front door."""
        return {METRICS_PATH: self.answer}

    async def answer(self, head: RequestHead) -> Response:
        """OpenMetrics or Prometheus text, by the `Accept` header."""
        if self.tokens is None and not self.is_open:
            raise BadRequest(CLOSED, status=403)
        tokens = None if self.is_open else self.tokens
        check_visitor(head, tokens, anywhere=self.anywhere)
        body, content_type = self.metrics.expose(", ".join(head.all("accept")))
        return Response(200, body, content_type)
