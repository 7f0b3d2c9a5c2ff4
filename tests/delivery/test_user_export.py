"""An export of a user's data leaves a server time for its users."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from greenroom.actors.reply import Reply
from greenroom.delivery.events.exported import ExportedRow, ExportPiece, ExportPlace
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.user_data import ReadUserRows, export_user

pytestmark = pytest.mark.requirement("R55")


class SlowJournal(MemoryJournal):
    """Answers each piece of an export after three seconds."""

    def __init__(self, nursery: trio.Nursery) -> None:
        super().__init__()
        self.asked_at: list[float] = []
        self._nursery = nursery

    def ask(self, question: ReadUserRows, **_: object) -> Reply[ExportPiece]:  # type: ignore[override]
        self.asked_at.append(trio.current_time())
        self._nursery.start_soon(self._answer, reply := Reply[ExportPiece]())
        return reply

    async def _answer(self, reply: Reply[ExportPiece]) -> None:
        await trio.sleep(3)
        goes_on = ExportPlace("log", (1,)) if len(self.asked_at) < 3 else None
        reply.succeed(ExportPiece([ExportedRow("log", {"offset": 1})], goes_on))


async def test_an_export_rests_as_long_after_each_piece_as_reading_it_took(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        journal, began = SlowJournal(nursery), trio.current_time()
        lines = [line async for line in export_user(journal, UserId("alice"))]
    assert len(lines) == 5
    assert [asked - began for asked in journal.asked_at] == [0, 6, 12]
    assert trio.current_time() - began == 15, "no rest at the end"
