"""The events of greenroom.v1: their kinds, classes and shape (pure)."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias, Union

import attrs
import orjson

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import EventId, RequestId, RunId, ThreadId

JSON: TypeAlias = Union[str, int, float, bool, Sequence["JSON"], Mapping[str, "JSON"], None]  # noqa: UP007  # quoted members: `|` fails at run time


class Kind(enum.StrEnum):
    """The kind of an event. Its values are the names on the wire."""

    AGENT_STARTED = "agent_started"
    AGENT_THINKING = "agent_thinking"
    PARTIAL_RESULT = "partial_result"
    TOOL_EXECUTING = "tool_executing"
    TOOL_COMPLETED = "tool_completed"
    INPUT_REQUESTED = "input_requested"
    INPUT_ANSWERED = "input_answered"
    INPUT_CLOSED = "input_closed"
    FINAL_REPORT = "final_report"
    AGENT_COMPLETED = "agent_completed"
    AGENT_FAILED = "agent_failed"
    USER_SAID = "user_said"
    SUPERSEDED = "superseded"

    __hash__ = str.__hash__  # Enum's runs in Python, several times for each event


class EventClass(enum.StrEnum):
    """Whether an event may be folded into others for a slow connection: only PROGRESS may."""

    CRITICAL = "critical"
    PROGRESS = "progress"

    __hash__ = str.__hash__  # as for Kind


TEXTS = frozenset({Kind.AGENT_THINKING, Kind.PARTIAL_RESULT})
PROGRESS = TEXTS | {Kind.SUPERSEDED}
ASK_ENDS = frozenset({Kind.INPUT_ANSWERED, Kind.INPUT_CLOSED})
ASK_KINDS = ASK_ENDS | {Kind.INPUT_REQUESTED}
TERMINAL = frozenset({Kind.AGENT_COMPLETED, Kind.AGENT_FAILED})


CLASS_OF: Final[Mapping[Kind, EventClass]] = MappingProxyType(
    {kind: EventClass.PROGRESS if kind in PROGRESS else EventClass.CRITICAL for kind in Kind}
)
"""The event class of each kind, as the protocol assigns it."""


def class_of(kind: Kind) -> EventClass:
    """The event class of a kind."""
    return CLASS_OF[kind]


@attrs.frozen
class Event:
    """An event as clients and agents read it. `at` is in ms since the Unix epoch."""

    offset: int
    id: EventId
    kind: Kind
    event_class: EventClass
    thread: ThreadId
    run: RunId
    parent: RunId | None
    request: RequestId
    at: int
    data: Mapping[str, JSON] = attrs.field(metadata=SECRET)

    @classmethod
    def decode(cls, body: bytes | str) -> Event:
        """Decode an event's JSON object. Raises `ValueError`, `KeyError` or `TypeError`."""
        return cls.from_json(_object(orjson.loads(body)))

    @classmethod
    def from_json(cls, fields: Mapping[str, JSON]) -> Event:
        """Read an event from its parsed JSON object."""
        parent = fields.get("parent")
        return cls(
            offset=int(str(fields["offset"])),
            id=EventId.trusted(str(fields["id"])),
            kind=Kind(str(fields["kind"])),
            event_class=EventClass(str(fields["class"])),
            thread=ThreadId.trusted(str(fields["thread"])),
            run=RunId.trusted(str(fields["run"])),
            parent=RunId.trusted(str(parent)) if parent is not None else None,
            request=RequestId.trusted(str(fields["request"])),
            at=int(str(fields["at"])),
            data=_object(fields["data"]),
        )


def _object(data: JSON) -> Mapping[str, JSON]:
    if isinstance(data, Mapping):
        return data
    raise TypeError(f"an event and its `data` must be JSON objects, not {type(data).__name__}")
