"""Consecutive deliveries that wait in the mailbox leave in one frame (pure)."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from greenroom.delivery.events.record import size_of
from greenroom.delivery.outbox.feed import FRAME_BYTES, FRAME_EVENTS
from greenroom.delivery.user.messages import DeliverEvents

M = TypeVar("M")


def with_followers(first: DeliverEvents, messages: deque[M]) -> DeliverEvents:
    """All the events that wait right behind, up to one frame's worth, as one delivery."""
    records = list(first.records)
    size = size_of(records)
    while messages and isinstance(follower := messages[0], DeliverEvents):
        size += size_of(follower.records)
        fits = len(records) + len(follower.records) <= FRAME_EVENTS and size <= FRAME_BYTES
        follows = follower.records[0].offset == records[-1].offset + 1  # else sent again, or a gap
        if not (fits and follows) or follower.replay != first.replay:
            break
        messages.popleft()
        records.extend(follower.records)
    return DeliverEvents(records, first.replay) if len(records) > len(first.records) else first
