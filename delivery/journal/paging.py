"""A page of history, bounded by count and by bytes (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from greenroom.delivery.events.record import Page, Record


def page_of(newest_first: Iterable[Record], limit: int, max_bytes: int) -> Page:
    """The newest records that fit both limits, but at least one.

    Takes at most one record more from `newest_first`, so that no more is read from a disk.
    """
    kept: list[Record] = []
    size = 0
    for record in newest_first:
        size += len(record.body)
        if len(kept) == limit or (kept and size > max_bytes):
            return Page(kept[::-1], more=True)
        kept.append(record)
    return Page(kept[::-1], more=False)
