"""Usage, counted beside a running server: in small pieces with rests, and kept for a minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Final, TypeAlias

import attrs
import trio

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.history.usage import By, Usage, UsageEvent
from greenroom.delivery.history.usage_json import Period
from greenroom.delivery.history.usage_reader import usage_pieces
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.sql.reader import ReadBeside

PIECE: Final = 500
"""Events that are read and counted without a rest."""

SHARE: Final = 0.25
"""The part of its time that a count works; for the rest it leaves the processor to users."""

PATIENCE: Final = 60.0
"""Seconds that a count may take."""

FRESH_MS: Final = 60_000
"""A count that is younger is not made again."""

MOST_GROUPS: Final = 2_000
"""Users, agents or tools with a line of their own; the others share one."""

_MOST_KEPT: Final = 4
_DAY_MS: Final = 86_400_000

Pieces: TypeAlias = Iterator[Sequence[UsageEvent]]


class TooMuchToCount(DeliveryError):
    """A count took too long beside a running server."""

    fault: ClassVar[Fault] = Fault.CALLER


class NotReadable(DeliveryError):
    """The journal has no tables that could be read beside the server."""

    fault: ClassVar[Fault] = Fault.CALLER


@attrs.frozen
class Counted:
    """The usage of a period."""

    usage: Usage
    period: Period


@attrs.define(eq=False)
class UsageCounts:
    """Counts what is in a journal that can be read beside the server."""

    journal: Journal
    now_ms: Callable[[], int]
    _one_at_a_time: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _kept: dict[tuple[int, By], Counted] = attrs.field(factory=dict, init=False)

    async def of(self, days: int, by: By) -> Counted:
        """The usage of the last `days`, as of a minute ago or less. Raises `TooMuchToCount`,
        `NotReadable`, and `JournalError`s."""
        async with self._one_at_a_time:
            found = self._kept.pop((days, by), None)
            if found is None or not self._is_fresh(found):
                found = await self._count(days, by)
            self._kept[days, by] = found
            if len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            return found

    def _is_fresh(self, counted: Counted) -> bool:
        return 0 <= self.now_ms() - counted.period.until < FRESH_MS

    async def _count(self, days: int, by: By) -> Counted:
        now = self.now_ms()
        since = now - days * _DAY_MS
        usage = Usage(by, most_groups=MOST_GROUPS)
        with trio.move_on_after(PATIENCE) as scope:
            reader = await trio.to_thread.run_sync(self._readable().reader)
            pieces = usage_pieces(reader, since=since, rows=PIECE)
            while not await self._count_piece(pieces, usage):
                pass
        if scope.cancelled_caught:
            raise TooMuchToCount(
                f"there is too much to count in {days} days beside a running server",
                advice="ask for fewer days, or run `greenroom usage`",
            )
        return Counted(usage, Period(since, now))

    def _readable(self) -> ReadBeside:
        if isinstance(self.journal, ReadBeside):
            return self.journal
        raise NotReadable(
            "usage is counted from a journal in a file or in a database, and this one is not",
            advice="set `journal` to a file",
        )

    async def _count_piece(self, pieces: Pieces, usage: Usage) -> bool:
        """True at the end."""
        began = trio.current_time()
        is_over = await trio.to_thread.run_sync(_count_next, pieces, usage)
        await trio.sleep((trio.current_time() - began) * (1 / SHARE - 1))
        return is_over


def _count_next(pieces: Pieces, usage: Usage) -> bool:
    piece = next(pieces, None)
    for event in piece or ():
        usage.add(event)
    return piece is None
