"""Where users' logs end: what each append must continue (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final, TypeAlias, cast

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Record

LogEnd: TypeAlias = tuple[int, str | None]
"""The end of a user's log: the last offset, and its thread unless the record is trimmed."""

LogEnds: TypeAlias = dict[UserId, LogEnd]

EMPTY: Final[LogEnd] = 0, None

_user_of: Final = cast("Callable[[Record], UserId]", attrgetter("user"))


def ends_of(records: Iterable[Record]) -> LogEnds:
    """A place for the end of the log of each user of the records."""
    return dict.fromkeys(map(_user_of, records), EMPTY)


def spans_of(records: Iterable[Record], ends: LogEnds) -> list[tuple[str, int, str]]:
    """A row for each record whose thread differs from that of the user's previous record.

    Moves the `ends` on. Raises `OutOfSequence` at the first record that does not continue its log.
    """
    spans: list[tuple[str, int, str]] = []
    for record in records:
        user, offset, thread = record.user, record.offset, record.thread
        last, last_thread = ends[user]
        if offset != last + 1:
            raise OutOfSequence(user, last + 1, offset)
        if thread != last_thread:
            spans.append((user, offset, thread))
        ends[user] = (offset, thread)
    return spans
