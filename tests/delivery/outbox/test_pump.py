"""Handing the newest events over in one step comes to what the several steps do."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.draft import Draft, draft
from greenroom.delivery.events.ids import (
    ConnectionId,
    EventId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Bounds
from greenroom.delivery.outbox.feed import OutboxCommand, OutboxLimits
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.outbox.pump import Pump
from greenroom.delivery.outbox.resumption import Resumption

_numbers = count(1)
IDS = IdSource(now_ms=lambda: 0, random_bits=lambda _: next(_numbers))
RUN, THREAD, REQUEST = IDS.new(RunId), IDS.new(ThreadId), IDS.new(RequestId)
SESSION, CONNECTION = IDS.new(SessionId), IDS.new(ConnectionId)
LIMITS = OutboxLimits(
    lag_events=2, frame_events=3, frame_bytes=2_000, memory_frames=2, backlog_events=8
)
SIZES = st.lists(st.sampled_from([10, 500, 1_100]), min_size=1, max_size=4)
"""The sizes of the events of an append, none larger than a frame."""


class InSeveralSteps(Pump):
    """Leaves all to the general way."""

    __slots__ = ()

    def forward(self, *_: object) -> None:
        return None


@given(st.lists(SIZES | st.integers(1, 12), max_size=12))
def test_a_connection_is_handed_the_same_events_in_one_step_as_in_several(
    script: list[list[int] | int],
) -> None:
    quick, slow = an_outbox(), an_outbox()
    slow._pump.__class__ = InSeveralSteps
    for part in script:
        drafts = [a_draft(size) for size in part] if isinstance(part, list) else []
        assert step(quick, part, drafts) == step(slow, part, drafts)


def step(outbox: Outbox[int], part: list[int] | int, drafts: list[Draft]) -> list[OutboxCommand]:
    """Append these drafts, or note that the connection has written what it was handed."""
    if isinstance(part, int):
        return list(outbox.written(CONNECTION, min(part, outbox.last)))
    for each in drafts:
        outbox.offer(each, 0)
    assert outbox.next_append(0) is not None
    return outbox.appended()[2]


def an_outbox() -> Outbox[int]:
    outbox: Outbox[int] = Outbox(UserId("alice"), "epoch", Bounds(0, 0), LIMITS)
    outbox.attach(CONNECTION, SESSION, Resumption(0, recovered=False))
    return outbox


def a_draft(size: int) -> Any:
    return draft(
        event=IDS.new(EventId),
        kind=Kind.AGENT_THINKING,
        thread=THREAD,
        run=RUN,
        parent=None,
        request=REQUEST,
        data={"text": "x" * size},
    )
