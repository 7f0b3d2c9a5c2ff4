"""Explanations: what lies behind a reference that a user was shown, for operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import orjson

from greenroom.delivery.errors import UnknownEvent, damaged
from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import JSON, Event
from greenroom.delivery.events.record import FailureCause, Record
from greenroom.delivery.journal.journal import Journal

SCHEMA: Final = "greenroom.explanation/1"


@attrs.frozen
class FailureExplanation:
    """`event` is None if it was trimmed, and lacks its `data` for who may not read it; `cause` is
    None if nothing failed or it is no longer kept."""

    reference: EventId
    user: UserId
    event: Mapping[str, JSON] | None
    cause: FailureCause | None

    @classmethod
    def of(
        cls, reference: EventId, record: Record | None, cause: FailureCause | None
    ) -> FailureExplanation:
        """From what a journal has. Raises `UnknownEvent` if that is nothing, `JournalCorrupt`."""
        known = record or cause
        if known is None:
            raise UnknownEvent(
                f"there is no event {reference}, and no cause of it is kept",
                advice="the newest causes are kept: see whether this is the right journal",
            )
        return cls(reference, known.user, None if record is None else _fields(record), cause)

    def without_data(self) -> FailureExplanation:
        """For who may not read what users and agents say."""
        if self.event is None:
            return self
        event = {name: value for name, value in self.event.items() if name != "data"}
        return attrs.evolve(self, event=event)

    def as_json(self) -> bytes:
        """As one JSON object: schema `greenroom.explanation/1`."""
        cause = None if self.cause is None else _shown(self.cause)
        return orjson.dumps(
            {
                "schema": SCHEMA,
                "reference": self.reference,
                "user": self.user,
                "event": self.event,
                "cause": cause,
            }
        )

    @classmethod
    def from_json(cls, body: bytes) -> FailureExplanation:
        """Read what `as_json` wrote. Raises `ValueError`, `KeyError` or `TypeError`."""
        fields = orjson.loads(body)
        reference, user = EventId.parse(fields["reference"]), UserId.parse(fields["user"])
        cause = fields["cause"]
        return cls(
            reference,
            user,
            fields["event"],
            None
            if cause is None
            else FailureCause(user, reference, RunId.parse(cause.pop("run")), **cause),
        )


async def explain(journal: Journal, reference: str) -> FailureExplanation:
    """What an event's reference stands for. Raises `BadId`, `UnknownEvent`, a `JournalError`."""
    event = EventId.parse(reference)
    return FailureExplanation.of(event, await journal.find(event), await journal.cause(event))


def _fields(record: Record) -> Mapping[str, JSON]:
    try:
        Event.decode(record.body)
        fields: Mapping[str, JSON] = orjson.loads(record.body)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(f"event {record.offset} of {str(record.user)!r}", error) from error
    return fields


def _shown(cause: FailureCause) -> dict[str, JSON]:
    return {
        "run": cause.run,
        "at": cause.at,
        "type": cause.type,
        "text": cause.text,
        "traceback": cause.traceback,
    }
