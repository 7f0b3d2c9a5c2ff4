"""Work on a journal that no server has open, or that the server which has it open does itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import trio
from cyclopts import Parameter

from greenroom.admin.client import AdminClient, usual_client
from greenroom.commands.events import existing_journal, reader_of
from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.journal.sqlite.journal import SqliteJournal, open_sqlite_journal
from greenroom.settings import Settings

T = TypeVar("T")

ASK_THE_SERVER: Final = (
    "set GREENROOM_ADMIN_TOKEN to that server's admin token, and it does this itself; "
    "in a program that embeds the runtime, call its `runtime`"
)
Url = Annotated[
    str | None,
    Parameter(
        help="The server to ask instead of opening a journal here. By default a server is asked "
        "only if it has the journal open: the one at GREENROOM_URL, or else at port 8700 (or "
        "GREENROOM_PORT) of this machine."
    ),
]


def done(
    settings: Settings,
    url: str | None,
    at_rest: Callable[[SqliteJournal], Awaitable[T]],
    beside: Callable[[AdminClient], T],
) -> T:
    """Do it here, or have it done by the server that has the journal open."""
    if url is not None:
        return beside(usual_client(settings, url))
    path = existing_journal(settings)

    async def main() -> T:
        async with open_sqlite_journal(path) as opened:
            return await at_rest(opened)

    try:
        return trio.run(main)
    except JournalBusy as busy:
        if settings.admin_token is None:
            raise JournalBusy(busy.message, advice=ASK_THE_SERVER) from busy
        return beside(usual_client(settings))


def check_reachable(settings: Settings, url: str | None) -> None:
    """Raise what `done` would raise of a journal that is none or cannot be read."""
    if url is None:
        reader_of(settings)
