"""All that is kept of a user: exported as JSON Lines, or erased.

    {"schema":"greenroom.user/1","user":"alice","epoch":"…"}
    {"log":{"user":"alice","offset":1,…,"body":{…the event as on the wire…}}}
    {"thread":{"user":"alice","thread":"thread_…","title":"Rome",…}}
    {"end":2}

A row's object is keyed by the journal's own columns. The end line has the number of rows, so that
a truncated file is recognised.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import attrs
import orjson
import trio

from greenroom.delivery.errors import UnknownUser
from greenroom.delivery.events.exported import ExportPiece, ExportPlace
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.upkeep import journal_lines

SCHEMA: Final = "greenroom.user/1"


@attrs.frozen
class ReadUserRows(Question[ExportPiece]):
    """A piece of all rows of a user."""

    user: UserId
    place: ExportPlace | None

    def answer(self, reads: Reads) -> ExportPiece:
        return reads.user_rows(self.user, self.place)


@attrs.frozen
class KeepsUser(Question[bool]):
    """Whether anything is kept of a user."""

    user: UserId

    def answer(self, reads: Reads) -> bool:
        return reads.keeps_user(self.user)


async def check_kept(journal: Journal, user: UserId) -> None:
    """Raises `UnknownUser` if nothing is kept of the user."""
    if not await journal.ask(KeepsUser(user), whose=user).wait():
        raise UnknownUser(f"nothing is kept of {user}", advice="check the user's id")


async def export_user(journal: Journal, user: UserId) -> AsyncIterator[bytes]:
    """The lines of the export. What is kept meanwhile may be missing.

    After each piece it rests as long as reading it took: a server has its users to serve.
    """
    yield header_line(user, journal.epoch)
    place, rows, is_over, rest = None, 0, False, 0.0
    while not is_over:
        await trio.sleep(rest)
        began = trio.current_time()
        piece = await journal.ask(ReadUserRows(user, place), whose=user).wait()
        rest = trio.current_time() - began
        for line in lines_of(piece):
            yield line
        place, rows, is_over = piece.after, rows + len(piece.rows), piece.after is None
    yield journal_lines.end_line(rows)


def export_lines(
    read: Callable[[ExportPlace | None], ExportPiece], user: UserId, epoch: str
) -> Iterator[bytes]:
    """The lines of the export, of the pieces that `read` returns."""
    yield header_line(user, epoch)
    place, rows, is_over = None, 0, False
    while not is_over:
        piece = read(place)
        yield from lines_of(piece)
        place, rows, is_over = piece.after, rows + len(piece.rows), piece.after is None
    yield journal_lines.end_line(rows)


def header_line(user: UserId, epoch: str) -> bytes:
    fields = {"schema": SCHEMA, "user": user, "epoch": epoch}
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def lines_of(piece: ExportPiece) -> Iterator[bytes]:
    return (journal_lines.row_line(row.table, row.values) for row in piece.rows)


async def erase_from(journal: Journal, user: UserId) -> None:
    """Erase all that a journal keeps of a user who is not active."""
    while await journal.erase_user_soon(user).wait():
        pass
