"""A draft: an event that has no offset and no time yet (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, Final, Literal, Protocol, TypeAlias

import attrs
import orjson

from greenroom.actors.errors import GreenroomError
from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import (
    AskId,
    EventId,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.json_data import Flaw, any_flaw_of, flaw_of, is_plain
from greenroom.delivery.events.kinds import CLASS_OF, JSON, Event, Kind, class_of
from greenroom.delivery.events.policy import Policies, RunPolicy
from greenroom.delivery.events.record import Entry, OpenRun, Record, Unsaid
from greenroom.delivery.files.entries import FilesSaid
from greenroom.delivery.files.taken import File

CloseReason: TypeAlias = Literal["expired", "withdrawn"]
MAX_EVENT_BYTES = 1024 * 1024


class BadEvent(GreenroomError):
    """An event's field is missing, of the wrong type, or too big. Raised at the call."""

    temporary: ClassVar[bool] = False


class Beside(Protocol):
    """What the journal keeps together with an event."""

    def entries(self, record: Record) -> Iterable[Entry]:
        """The entries, now that the event has its offset and time."""


@attrs.frozen
class RunPolicies:
    """Travels with the draft of a run's first event. Classes without one have the usual policy."""

    by_class: Policies

    def entries(self, record: Record) -> Iterator[Entry]:
        """A policy for each class, from the run's first event on."""
        for event_class, policy in self.by_class.items():
            yield RunPolicy(
                record.user,
                record.run,
                event_class,
                policy,
                record.offset - 1,
                record.at + round(policy.expires_after * 1000),
            )


@attrs.frozen
class Once:
    """Travels with a draft whose key must be new in its user's log, and with what else is kept."""

    key: str
    beside: Beside | None = None

    def entries(self, record: Record) -> Iterator[Entry]:
        yield Unsaid(record.user, self.key)
        if self.beside is not None:
            yield from self.beside.entries(record)


@attrs.frozen
class BesideMessage:
    """Travels with the draft of a user's message: its files, and what else is kept."""

    files: Sequence[str]
    beside: Beside | None = None

    def entries(self, record: Record) -> Iterator[Entry]:
        yield FilesSaid(record.user, record.run, self.files)
        if self.beside is not None:
            yield from self.beside.entries(record)


def run_policies(by_class: Policies) -> RunPolicies | None:
    """What is kept beside a run's first event; None if the run has the usual policies."""
    return RunPolicies(by_class) if by_class else None


@attrs.define(eq=False)  # not frozen: that doubles what one costs
class Draft:
    """An event without offset and time. `rest` is its JSON without those two fields, encoded in
    the caller of `emit`, so that data which cannot be encoded raises there. `beside`: what the
    journal keeps with the event, for all or nothing."""

    id: EventId
    kind: Kind
    thread: ThreadId
    run: RunId
    parent: RunId | None
    request: RequestId
    say: str | None
    rest: bytes = attrs.field(metadata=SECRET)
    beside: Beside | None = None

    def record(self, user: UserId, offset: int, at: int) -> Record:
        """The event with its offset and time. `at`: ms since the Unix epoch."""
        kind, body = self.kind, b'{"offset":%d,"at":%d,%b' % (offset, at, self.rest[1:])
        return Record(
            user,
            offset,
            self.id,
            kind,
            CLASS_OF[kind],
            self.thread,
            self.run,
            self.parent,
            self.request,
            at,
            self.say,
            body,
        )


def draft(
    *,
    event: EventId,
    kind: Kind,
    thread: ThreadId,
    run: RunId,
    parent: RunId | None,
    request: RequestId,
    data: JSON,
    say: str | None = None,
    beside: Beside | None = None,
    plain: bool = False,
) -> Draft:
    """Encode an event. Raises `BadEvent` for data that is too big, is not JSON, or would reach a
    browser changed (NaN, an integer past 2^53). `plain`: the caller knows that `is_plain(data)`."""
    try:
        encoded = orjson.dumps(data, option=orjson.OPT_STRICT_INTEGER)
    except TypeError as error:
        encoded = _encoded(kind, data, error)
    run_fields = _run_fields(thread, run, parent, request)
    rest = b'{"id":"%b",%b,%b,"data":%b}' % (
        event.encode(),
        _KIND_FIELDS[kind],
        run_fields,
        encoded,
    )
    if len(rest) > MAX_EVENT_BYTES:
        raise BadEvent(
            f"{kind}: an event must have at most {MAX_EVENT_BYTES:,} bytes, not {len(rest):,}",
            advice="store the bulk elsewhere and send a link to it",
        )
    if not (plain or is_plain(data)) and (flaw := flaw_of(data, "data")):
        raise _bad(kind, flaw)
    return Draft(event, kind, thread, run, parent, request, say, rest, beside)


def _encoded(kind: Kind, data: JSON, refused: TypeError) -> bytes:
    """Data that the encoder refused, being strict: it takes no 2^53, which browsers do."""
    if flaw := any_flaw_of(data, "data"):
        raise _bad(kind, flaw) from refused
    try:
        return orjson.dumps(data)
    except TypeError as error:
        raise _bad(kind, error) from error


_KIND_FIELDS: Final = {
    kind: orjson.dumps({"kind": kind, "class": class_of(kind)})[1:-1] for kind in Kind
}


@lru_cache(maxsize=1024)
def _run_fields(thread: ThreadId, run: RunId, parent: RunId | None, request: RequestId) -> bytes:
    """The members that all events of a run share."""
    fields = {"thread": thread, "run": run} | ({} if parent is None else {"parent": parent})
    return orjson.dumps(fields | {"request": request})[1:-1]


def _bad(kind: Kind, flaw: Flaw | TypeError) -> BadEvent:
    return BadEvent(
        f"{kind}: the data must be JSON that browsers read unchanged: {flaw}",
        advice="send the value as a string or as a type that JSON has",
    )


def user_said(
    *,
    event: EventId,
    context: UserContext,
    body: JSON,
    say: str,
    files: Sequence[File] = (),
    beside: Beside | None = None,
) -> Draft:
    """The event for a user's message. Raises `BadEvent`."""
    listed: dict[str, JSON] = {"files": [each.as_json() for each in files]} if files else {}
    return draft(
        event=event,
        kind=Kind.USER_SAID,
        thread=context.thread,
        run=context.run,
        parent=None,
        request=context.request,
        data={"body": body, "say": say, **listed},
        say=say,
        beside=BesideMessage([each.key for each in files], beside) if files else beside,
    )


def run_completed(*, event: EventId, run: UserContext | OpenRun, outcome: str) -> Draft:
    """The end, emitted on its behalf, of a run that was cancelled or had given its report."""
    return draft(
        event=event,
        kind=Kind.AGENT_COMPLETED,
        thread=run.thread,
        run=run.run,
        parent=None,
        request=run.request,
        data={"outcome": outcome},
    )


def run_lost(*, event: EventId, run: OpenRun) -> Draft:
    """The end of a run that can no longer emit it."""
    said: JSON = {
        "error": "RunLost",
        "message": "the server stopped the run",
        "reason": "lost",
        "reference": event,
    }
    return _in_its_place(event, Kind.AGENT_FAILED, run, said)


def run_unattended(*, event: EventId, run: OpenRun) -> Draft:
    """The end of a run that waited for a worker while there was none."""
    said: JSON = {
        "error": "NoWorker",
        "message": "no agent was there to answer; send the message again later",
        "reason": "timeout",
        "reference": event,
    }
    return _in_its_place(event, Kind.AGENT_FAILED, run, said)


def tool_lost(*, event: EventId, run: OpenRun, tool: Event, now: int) -> Draft:
    """The end of a tool call that a lost run left open. `tool`: its `tool_executing`; `now`: ms."""
    said: JSON = {
        "tool_call": tool.data["tool_call"],
        "tool_name": tool.data["tool_name"],
        "error": "it did not complete",
        "reference": event,
        "duration_ms": max(0, now - tool.at),
    }
    return _in_its_place(event, Kind.TOOL_COMPLETED, run, said)


def input_answered(
    *, event: EventId, asked: Record, ask: AskId, value: JSON, session: SessionId | None
) -> Draft:
    """The answer to a question. Raises `BadEvent`."""
    data: JSON = {"ask": ask, "value": value, "session": session}
    return _in_its_place(event, Kind.INPUT_ANSWERED, asked, data)


def input_closed(*, event: EventId, asked: Record, ask: AskId, reason: CloseReason) -> Draft:
    """The end of a question without an answer."""
    return _in_its_place(event, Kind.INPUT_CLOSED, asked, {"ask": ask, "reason": reason})


def superseded(first: Record, through: int) -> Record:
    """What stands for the events from `first` through an offset, which are not shown one by one.

    Everything except its kind and data is copied from the first of them.
    """
    event = _in_its_place(first.id, Kind.SUPERSEDED, first, {"through": through})
    return event.record(first.user, first.offset, first.at)


def forgotten(record: Record) -> Record:
    """What stands in the log for a progress event that retention has forgotten.

    The id stays so that clients which saw the event can resume after it; the thread and the run
    stay because they have not gone.
    """
    return superseded(record, record.offset)


def _in_its_place(event: EventId, kind: Kind, run: OpenRun | Record, data: JSON) -> Draft:
    """An event that the run itself does not emit; `run`: the run, or an event of it."""
    return draft(
        event=event,
        kind=kind,
        thread=run.thread,
        run=run.run,
        parent=run.parent,
        request=run.request,
        data=data,
    )
