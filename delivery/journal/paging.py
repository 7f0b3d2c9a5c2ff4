"""Pages of records, bounded by count and by bytes (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from greenroom.delivery.events.record import Page, Record

PAGE_BYTES: Final = 256 * 1024
"""The default limit for a page of history: the same as for a frame of events."""


def check_limit(limit: int) -> None:
    """Raise `ValueError` for a limit below 1."""
    if limit < 1:
        raise ValueError(f"`limit` must be 1 or more, not {limit}")


def check_page(before: int | None, limit: int) -> None:
    """Raise `ValueError` for what cannot be a place to read before, or the size of a page."""
    if before is not None and (not isinstance(before, int) or before < 1):
        raise ValueError(
            f"`before` must be an event's offset, a whole number from 1 on, not {before!r}; "
            "leave it out for the last events"
        )
    if not isinstance(limit, int) or limit < 1:
        raise ValueError(f"`limit` must be a whole number of events, 1 or more, not {limit!r}")


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
