"""The routes by which programs in other processes speak to users.

| request | answers |
|---|---|
| `POST /api/runs` | begins a run: its state, and the receipt of its `agent_started` |
| `GET /api/runs/RUN` | its state; `?after=VERSION&wait=SECONDS` waits for a newer one |
| `POST /api/runs/RUN/events` | one entry, a batch (`{"events": […]}`), or NDJSON: a result each |
| `POST /api/runs/RUN/end` | ends it: `completed`, `cancelled` or `failed` |
| `GET /api/runs/RUN/history` | the last events of its thread, `?before=` and `?limit=` to page |
| `GET /api/events/EVENT` | how far an event got; `?stage=displayed&wait=SECONDS` waits for that |
| `GET /api/openapi.json` | this, for programs |
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

import attrs
import orjson

from greenroom.actors.errors import GreenroomError
from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.delivery.ledger import Ledger
from greenroom.services.batches import Batches
from greenroom.services.desk import Beginning, RemoteRuns
from greenroom.services.entries import failure_in, usage_in
from greenroom.services.fields import Fields, policies_of
from greenroom.services.gate import OPEN_TO_ALL, ServiceGate
from greenroom.services.held_run import GONE
from greenroom.services.looking import Looking
from greenroom.services.openapi import openapi
from greenroom.services.problems import (
    BadEntry,
    bad_value,
    problem,
    problem_of_request,
)
from greenroom.services.requests import json_body, key_of, number_in, run_in
from greenroom.transport.auth.service_tokens import Service
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer

OUTCOMES = ("completed", "cancelled", "failed", "lost")
RUNS, EVENTS = "/api/runs", "/api/events"
LONGEST_WAIT = 60.0

logger = logging.getLogger("greenroom")

ServiceHandler: TypeAlias = Callable[[Service, RequestHead], Awaitable[Response]]


@attrs.frozen
class ServiceDoor:
    """Answers programs. Every error is a JSON problem."""

    gate: ServiceGate
    runs: RemoteRuns
    ledger: Ledger

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to a front door."""
        batches = Batches(self.runs, self.ledger.journal)
        looking = Looking(self.runs, self.ledger)
        answers: Mapping[str, ServiceHandler] = {
            f"POST {RUNS}": self._begin,
            f"GET {RUNS}/*": self._state,
            f"POST {RUNS}/*/events": batches.take,
            f"POST {RUNS}/*/end": self._end,
            f"GET {RUNS}/*/history": looking.history,
            f"GET {EVENTS}/*": looking.standing,
        }
        guarded = {path: partial(self._guarded, answer) for path, answer in answers.items()}
        return {**guarded, f"GET {OPEN_TO_ALL}": self._openapi}

    async def _guarded(self, answer: ServiceHandler, head: RequestHead) -> Response:
        try:
            return await answer(await self.gate.service(head), head)
        except BadRequest as error:
            return problem_of_request(error)
        except GreenroomError as error:
            return problem(error)
        except ValueError as error:
            return problem(bad_value(error))
        except BaseException as error:
            if must_go_on(error):
                raise
            log_failure(logger, error, "a program's request failed")
            return problem(GreenroomFailed("the server failed"))

    async def _begin(self, service: Service, head: RequestHead) -> Response:
        fields = Fields(await json_body(head), "the body")
        beginning = Beginning(
            user=fields.text("user"),
            agent=fields.maybe_text("agent") or "agent",
            thread=fields.maybe_text("thread"),
            input=fields.json("input"),
            seconds=fields.number("seconds"),
            policies=policies_of(fields.json("policy")),
            parent=fields.maybe_text("parent"),
            key=key_of(head),
        )
        fields.end()
        begun = await self.runs.begin(service, beginning)
        return json_answer(orjson.dumps({**begun.state, "started": begun.started}), 201)

    async def _state(self, service: Service, head: RequestHead) -> Response:
        run, after = run_in(head), number_in(head, "after")
        if after is not None and self.runs.is_open(service, run):
            remote = self.runs.find(service, run)
            remote.renew()
            wait = number_in(head, "wait") or 0.0
            await remote.changed(int(after), min(wait, LONGEST_WAIT))
        elif self.runs.is_open(service, run):
            self.runs.find(service, run).renew()
        return json_answer(orjson.dumps(self.runs.state(service, run)))

    async def _end(self, service: Service, head: RequestHead) -> Response:
        fields = Fields(await json_body(head), "the body")
        outcome = fields.maybe_text("outcome") or "completed"
        error = failure_in(fields.json("failure") if fields.has("failure") else {})
        usage = usage_in(fields.json("usage") if fields.has("usage") else {})
        fields.end()
        if outcome not in OUTCOMES:
            raise BadEntry(f"`outcome` must be {', '.join(OUTCOMES)}, not {outcome!r:.40}")
        run = run_in(head)
        if self.runs.is_open(service, run):
            remote = self.runs.find(service, run)
            async with remote.lane:
                if not remote.is_over:
                    remote.run.add_usage(usage)
                if not remote.is_over and outcome in ("cancelled", "lost"):
                    await remote.cut(GONE if outcome == "lost" else None)
                elif not remote.is_over:
                    await remote.end(error if outcome == "failed" else None)
            return json_answer(orjson.dumps(remote.state()))
        return json_answer(orjson.dumps(self.runs.state(service, run)))

    async def _openapi(self, _: RequestHead) -> Response:
        return json_answer(openapi())


class GreenroomFailed(GreenroomError):
    """The server failed in a way that it should not."""
