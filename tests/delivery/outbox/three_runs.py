"""Records of three runs side by side; the third was started by the first."""

from __future__ import annotations

from itertools import count

from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import EventId, IdSource, RequestId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Record

ALICE = UserId("alice")
_numbers = count(1)
IDS = IdSource(now_ms=lambda: 0, random_bits=lambda _: next(_numbers))
RUNS = [IDS.new(RunId) for _ in range(3)]
THREADS = [IDS.new(ThreadId) for _ in range(3)]
REQUEST = IDS.new(RequestId)


def record(offset: int, kind: Kind, run: int = 0, text: str = "", **data: JSON) -> Record:
    event = draft(
        event=IDS.new(EventId),
        kind=kind,
        thread=THREADS[run],
        run=RUNS[run],
        parent=RUNS[0] if run == 2 else None,
        request=REQUEST,
        data={"text": text, **data},
    )
    return event.record(ALICE, offset, at=offset)
