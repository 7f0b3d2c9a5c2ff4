"""A run's story for programs (pure): the schema `greenroom.timeline/1`."""

from __future__ import annotations

from typing import Final

import orjson

from greenroom.delivery.events.kinds import Event
from greenroom.delivery.history.timeline import Moment, Sight, Timeline

SCHEMA: Final = "greenroom.timeline/1"


def as_json(story: Timeline) -> bytes:
    """The whole story, in one line."""
    fields = {
        "schema": SCHEMA,
        "run": str(story.run),
        "parent": _id(story.parent),
        "user": str(story.user),
        "thread": str(story.thread),
        "agent": story.agent,
        "began": story.began,
        "ended": story.ended,
        "ending": story.ending,
        "moments": [moment_as_json(each) for each in story.moments],
    }
    return orjson.dumps(fields)


def moment_as_json(moment: Moment, *, texts: bool = True) -> dict[str, object]:
    """One event of it. Without `texts`, what users and agents said is left out."""
    letter = moment.letter
    return {
        "since": moment.since,
        "depth": moment.depth,
        "took": moment.took,
        "stage": str(moment.stage),
        "outcome": None if moment.outcome is None else str(moment.outcome),
        "sessions": [_session(sight, texts=texts) for sight in moment.sights],
        "attempts": [
            {
                "number": each.number,
                "at": each.at,
                "session": str(each.session),
                "connection": str(each.connection),
            }
            for each in moment.attempts
        ],
        "given_up": None if letter is None else {"at": letter.at, "why": why_given_up(moment)},
        "event": _event(moment.event, texts=texts),
    }


def _session(sight: Sight, *, texts: bool) -> dict[str, object]:
    fields: dict[str, object] = {
        "session": str(sight.standing.session),
        "stage": str(sight.standing.stage),
        "received_by": sight.received_by,
        "displayed_at": sight.displayed_at,
        "confirmed_at": sight.confirmed_at,
    }
    said = {"verdict": sight.standing.verdict, "note": sight.standing.note}
    return fields | said if texts else fields


def _event(event: Event, *, texts: bool) -> dict[str, object]:
    """As on the wire (PROTOCOL.md)."""
    fields: dict[str, object] = {
        "offset": event.offset,
        "at": event.at,
        "id": str(event.id),
        "kind": str(event.kind),
        "class": str(event.event_class),
        "thread": str(event.thread),
        "run": str(event.run),
    }
    if event.parent is not None:
        fields["parent"] = str(event.parent)
    fields["request"] = str(event.request)
    return fields | {"data": event.data} if texts else fields


def _id(id_: str | None) -> str | None:
    return None if id_ is None else str(id_)


def why_given_up(moment: Moment) -> str:
    """Why an event became a dead letter, in a few words."""
    sent = max((attempt.number for attempt in moment.attempts), default=0)
    if sent > 1:
        return f"sent {sent} times, not acknowledged"
    return "sent, not acknowledged" if moment.sights else "no client asked for it"
