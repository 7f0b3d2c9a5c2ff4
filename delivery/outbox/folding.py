"""Folding: fewer progress events for a connection that has fallen behind (pure).

In a stretch of progress events between two critical events, the newest whole thought of each run
stays, the pieces of a streamed thought merge into the last one, and partial results of a run with
no thought that stays between them merge into the last one. Events that stay keep their offsets;
`superseded` events explain the offsets in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import attrs
import orjson

from greenroom.delivery.events.draft import superseded
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import TEXTS, Kind
from greenroom.delivery.events.record import Record


@attrs.frozen
class Folded:
    """The remaining records in offset order, and how many events were superseded."""

    records: Sequence[Record]
    superseded: int


def fold(records: Sequence[Record]) -> Folded:
    """Return fewer records of one user with the same content. The last record stays the last.

    They belong in one frame: a merged piece has the text of the pieces just superseded, so a client
    that received only one of the two would be sent that text twice, or never.
    """
    left: list[Record] = []
    gone = 0
    for foldable, stretch in groupby(records, lambda record: record.kind in TEXTS):
        if foldable:
            events = list(stretch)
            stays = _what_stays(events)
            left += _folded(events, stays)
            gone += len(events) - len(stays)
        else:
            left += stretch
    return Folded(left, gone)


def _what_stays(stretch: Sequence[Record]) -> dict[int, list[Record]]:
    """Each event that stays, by offset, with the events that merge into it, newest first."""
    stays: dict[int, list[Record]] = {}
    thinking: dict[tuple[RunId, int | None], list[Record]] = {}
    answer: dict[RunId, list[Record]] = {}
    for record in reversed(stretch):
        if record.kind is Kind.PARTIAL_RESULT and record.run in answer:
            answer[record.run].append(record)
        elif record.kind is Kind.PARTIAL_RESULT:
            answer[record.run] = stays[record.offset] = [record]
        elif (thought := (record.run, _thought_of(record))) not in thinking:
            thinking[thought] = stays[record.offset] = [record]
            answer.pop(record.run, None)  # text before this thought stays before it
        elif thought[1] is not None:  # a whole one gives way to the newest
            thinking[thought].append(record)
    return stays


def _thought_of(record: Record) -> int | None:
    """The number of the thought that this is a piece of; None for a whole thought."""
    data = orjson.loads(record.body)["data"]
    return data.get("thought") if "index" in data else None


def _folded(stretch: Sequence[Record], stays: dict[int, list[Record]]) -> Iterator[Record]:
    gone: list[Record] = []
    for record in stretch:
        if record.offset not in stays:
            gone.append(record)
            continue
        if gone:
            yield superseded(gone[0], gone[-1].offset)
            gone = []
        yield _merged(stays[record.offset])


def _merged(newest_first: Sequence[Record]) -> Record:
    last, *earlier = newest_first
    if not earlier:
        return last
    event = orjson.loads(last.body)
    texts = [orjson.loads(record.body)["data"]["text"] for record in earlier]
    event["data"]["text"] = "".join([*reversed(texts), event["data"]["text"]])
    event["data"]["merges"] = [record.offset for record in reversed(earlier)]
    return attrs.evolve(last, body=orjson.dumps(event))
