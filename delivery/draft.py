"""An event before it has its place in the user's sequence (pure)."""

from __future__ import annotations

from typing import ClassVar

import attrs
import orjson

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.events import JSON, Kind, class_of
from greenroom.delivery.ids import EventId, RequestId, RunId, ThreadId, UserId
from greenroom.delivery.journal import Record

MAX_EVENT_BYTES = 1024 * 1024


class BadEvent(GreenroomError):
    """An event's field is missing, of the wrong type, or too big. Raised at the call."""

    temporary: ClassVar[bool] = False


@attrs.frozen
class Draft:
    """All of an event but its offset and time. `rest` is its JSON without those two, encoded
    where it was emitted, so that what cannot be encoded raises there."""

    id: EventId
    kind: Kind
    thread: ThreadId
    run: RunId
    parent: RunId | None
    request: RequestId
    say: str | None
    rest: bytes

    def record(self, user: UserId, offset: int, at: int) -> Record:
        """The event at its place. `at`: ms since the Unix epoch."""
        return Record(
            user=user,
            offset=offset,
            id=self.id,
            kind=self.kind,
            event_class=class_of(self.kind),
            thread=self.thread,
            run=self.run,
            parent=self.parent,
            request=self.request,
            at=at,
            say=self.say,
            body=b'{"offset":%d,"at":%d,%b' % (offset, at, self.rest[1:]),
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
) -> Draft:
    """Encode an event. Raises `BadEvent` for data that is no JSON or too big."""
    fields: dict[str, JSON] = {"id": event, "kind": kind, "class": class_of(kind), "thread": thread}
    fields |= {"run": run} if parent is None else {"run": run, "parent": parent}
    fields |= {"request": request, "data": data}
    try:
        rest = orjson.dumps(fields)
    except TypeError as error:
        raise BadEvent(f"{kind}: its data is not JSON: {error}") from error
    if len(rest) > MAX_EVENT_BYTES:
        raise BadEvent(
            f"{kind}: {len(rest):,} bytes, more than the {MAX_EVENT_BYTES:,} an event may have",
            advice="store the bulk elsewhere and send a link to it",
        )
    return Draft(event, kind, thread, run, parent, request, say, rest)
