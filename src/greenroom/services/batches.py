"""Entries as they come: one, a batch, or a stream of lines. With a key each is carried out once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import attrs
import orjson

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.errors import AlreadySaid
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.journal.journal import Journal
from greenroom.services.desk import RemoteRuns, receipt_of
from greenroom.services.entries import Entry, carry_out
from greenroom.services.fields import Fields
from greenroom.services.held_run import MOST_KEYS, HeldRun
from greenroom.services.problems import (
    BadEntry,
    OutOfScope,
    RunOver,
    UnknownRun,
    bad_value,
    problem,
)
from greenroom.services.requests import json_body, key_of, parsed, run_in, text_in
from greenroom.transport.auth.service_tokens import Service
from greenroom.transport.http.body import lines
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

MOST_ENTRIES: Final = 1_000
"""Entries of one batch; a stream of lines has no end."""

MOST_LINE: Final = 2 * 1024 * 1024
NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


@attrs.define
class _Results:
    """What answers the entries so far: of a batch each result, of a stream the last one."""

    streamed: bool
    count: int = 0
    each: list[dict[str, JSON]] = attrs.field(factory=list)

    def add(self, result: dict[str, JSON]) -> None:
        self.count += 1
        self.each = [result] if self.streamed else [*self.each, result]

    def members(self, state: dict[str, JSON]) -> dict[str, JSON]:
        if not self.streamed:
            return {"count": self.count, "results": [*self.each], "run": state}
        last = self.each[-1] if self.each else None
        return {"count": self.count, "last": last, "run": state}


@attrs.frozen
class Batches:
    """Answers `POST /api/runs/RUN/events`."""

    runs: RemoteRuns
    journal: Journal

    async def take(self, service: Service, head: RequestHead) -> Response:
        """Carry the entries out in order, up to the first that is refused."""
        run, key = run_in(head), key_of(head)
        if not self.runs.is_open(service, run):
            return await self._look_up(service, head, run, key)
        remote = self.runs.find(service, run)
        remote.renew()
        async with remote.lane:
            return await self._carry_out(remote, head, key)

    async def _carry_out(self, remote: HeldRun, head: RequestHead, key: str | None) -> Response:
        results = _Results(_is_streamed(head))
        try:
            async with aclosing(entries_of(head)) as entries:
                async for entry in entries:
                    remote.renew()
                    results.add(await self._once(remote, entry, key, results.count))
        except GreenroomError as error:
            return problem(error, {"index": results.count, **results.members(remote.state())})
        except ValueError as error:
            refused = bad_value(error)
            return problem(refused, {"index": results.count, **results.members(remote.state())})
        return json_answer(orjson.dumps(results.members(remote.state())))

    async def _once(
        self, remote: HeldRun, entry: Entry, key: str | None, index: int
    ) -> dict[str, JSON]:
        if key is None:
            remote.check_open()
            return await carry_out(remote, entry, None)
        context = remote.run.context
        own = _key(context.run, key, index)
        if index < remote.done_of_keys.get(key, 0):
            return await self._again(context.user, entry, own)
        remote.check_open()
        try:
            result = await carry_out(remote, entry, own)
        except AlreadySaid as error:  # an old key, which only the journal remembers
            result = receipt_of(error.said)
        remote.done_of_keys[key] = index + 1
        remote.done_of_keys.move_to_end(key)
        if len(remote.done_of_keys) > MOST_KEYS:
            remote.done_of_keys.popitem(last=False)
        return result

    async def _again(self, user: UserId, entry: Entry, own: str) -> dict[str, JSON]:
        said = await self.journal.said(user, own)
        return {"kind": entry.kind, "repeated": True} if said is None else receipt_of(said)

    async def _look_up(
        self, service: Service, head: RequestHead, run: str, key: str | None
    ) -> Response:
        """The run is over: only entries that were kept before have an answer."""
        results = _Results(_is_streamed(head))
        user = self._user_of(service, head, run)
        state = self._state(service, run)
        async with aclosing(entries_of(head)) as entries:
            async for entry in entries:
                said = None
                if user is not None and key is not None:
                    said = await self.journal.said(user, _key(run, key, results.count))
                if said is None:
                    more = {"index": results.count, **results.members(state)}
                    return problem(_over(run, state, entry), more)
                results.add(receipt_of(said))
        return json_answer(orjson.dumps(results.members(state)))

    def _user_of(self, service: Service, head: RequestHead, run: str) -> UserId | None:
        try:
            known = self.runs.state(service, run)["user"]
        except UnknownRun:
            known = text_in(head, "user")
        if known is None:
            return None
        user = UserId.parse(str(known))
        if not service.may_speak_to(user):
            raise OutOfScope(f"service {service.name!r} may not speak to this user")
        return user

    def _state(self, service: Service, run: str) -> dict[str, JSON]:
        try:
            return self.runs.state(service, run)
        except UnknownRun:
            return {"run": run, "state": "unknown"}


async def entries_of(head: RequestHead) -> AsyncGenerator[Entry, None]:
    """The entries of a request, as they come. Raises `BadEntry`, or `BadBody`."""
    if _is_streamed(head):
        async with aclosing(lines(head.body, MOST_LINE)) as each_line:
            async for line in each_line:
                yield Entry.of(parsed(line))
        return
    body = await json_body(head)
    if isinstance(body, dict) and "events" in body:
        fields = Fields(body, "the body")
        listed = fields.array("events") or []
        fields.end()
    else:
        listed = [body]
    if len(listed) > MOST_ENTRIES:
        raise BadEntry(
            f"a batch may have at most {MOST_ENTRIES:,} entries, not {len(listed):,}",
            advice="send several batches, or a line at a time as NDJSON",
        )
    for each in listed:
        yield Entry.of(each)


def _is_streamed(head: RequestHead) -> bool:
    kind = (head.one("content-type") or "").partition(";")[0].strip().lower()
    return kind in NDJSON


def _key(run: str, key: str, index: int) -> str:
    return f"{run}/{key}/{index}"


def _over(run: str, state: dict[str, JSON], entry: Entry) -> GreenroomError:
    if state["state"] == "unknown":
        return UnknownRun(
            f"run {run} is not open: it has ended, or the server was started again",
            advice="begin another run",
        )
    return RunOver(f"run {run} is over ({state['state']}): {entry.kind} came too late")
