"""The admin endpoints that concern a run.

| request | answers |
|---|---|
| `POST /admin/runs/RUN` | tries the run again: `?user=` whose it is, `?say=` the key of its message; the run that begins |
| `DELETE /admin/runs/RUN` | cancels the run, `?user=` whose it is; its id |

Values are in UTF-8 and percent-encoded (RFC 3986).
"""  # noqa: E501  # a table

from __future__ import annotations

import logging
from collections.abc import Mapping

import attrs
import orjson

from greenroom.admin.queries import asked_in
from greenroom.admin.runs_desk import RunsDesk
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer

RUNS = "/admin/runs"
RETRIED, CANCELLED = "greenroom.retried/1", "greenroom.cancelled/1"

logger = logging.getLogger("greenroom")


@attrs.frozen
class RunsDoor:
    """Answers about runs, to visitors that were checked."""

    desk: RunsDesk

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to an admin door."""
        return {f"POST {RUNS}/*": self._retry, f"DELETE {RUNS}/*": self._cancel}

    async def _retry(self, head: RequestHead) -> Response:
        run = _run_of(head)
        began = await self.desk.retry(_user_of(head), run, _asked(head, "say"))
        logger.info("run %s was retried by an admin, as %s", run, began)
        return json_answer(orjson.dumps({"schema": RETRIED, "run": began}))

    async def _cancel(self, head: RequestHead) -> Response:
        run = _run_of(head)
        await self.desk.cancel(_user_of(head), run)
        logger.info("run %s was cancelled by an admin", run)
        return json_answer(orjson.dumps({"schema": CANCELLED, "run": run}))


def _run_of(head: RequestHead) -> RunId:
    return RunId.parse(head.path.rpartition("/")[2])


def _user_of(head: RequestHead) -> UserId:
    return UserId.parse(_asked(head, "user"))


def _asked(head: RequestHead, name: str) -> str:
    values = asked_in(head).get(name)
    if not values:
        raise BadRequest(f"the query must have `{name}`.")
    return values[-1]
