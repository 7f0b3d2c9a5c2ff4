"""`greenroom dead-letters`: events that no client received in time."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, TypeVar

import trio
from cyclopts import App, Parameter

from greenroom.admin.client import AdminClient, usual_client
from greenroom.commands.events import existing_journal
from greenroom.commands.options import Flag, Limit
from greenroom.commands.output.dead_letters import heading, json_of, line_of, shown_whole
from greenroom.commands.output.printing import say_none
from greenroom.commands.output.streams import write_line
from greenroom.delivery.dead_letters import no_letter, requeue_at_rest
from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.events.ids import EventId, IdSource, UserId
from greenroom.delivery.events.record import DeadLetter
from greenroom.delivery.journal.sqlite.journal import SqliteJournal, open_sqlite_journal
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.settings import Settings

T = TypeVar("T")

ASK_THE_SERVER: Final = (
    "set GREENROOM_ADMIN_TOKEN to that server's admin token, and it does this itself; "
    "in a program that embeds the runtime, call `runtime.dead_letters`"
)
Url = Annotated[
    str | None,
    Parameter(
        help="The server to ask instead of opening a journal here. By default a server is asked "
        "only if it has the journal open: the one at GREENROOM_URL, or else at port 8700 (or "
        "GREENROOM_PORT) of this machine."
    ),
]
AdminToken = Annotated[
    str | None,
    Parameter(
        help="The server's admin token. GREENROOM_ADMIN_TOKEN is safer: others cannot see it."
    ),
]

dead_letters = App(
    name="dead-letters",
    help="List, show, requeue or drop events that no client received.",
    help_format="plaintext",
)


@dead_letters.command(name="list")
def list_letters(
    *,
    user: str | None = None,
    after: str | None = None,
    limit: Limit = 100,
    json: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """List dead letters, oldest event first. A server may be writing the journal meanwhile.

    If there are more, standard error says how to continue.

    Parameters
    ----------
    user
        Only this user's.
    after
        Only those after this event.
    limit
        Show at most this number.
    json
        One JSON object per line.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    reader = JournalReader(existing_journal(Settings.load(config, journal=journal)))
    whose = UserId.parse(user) if user is not None else None
    past = modern(EventId, after) if after is not None else None
    letters = reader.dead_letters(user=whose, after=past, limit=limit + 1)
    shown = letters[:limit]
    for line in map(json_of, shown) if json else ():
        write_line(line)
    if not json:
        _print_table(shown, user, after)
    if len(letters) > limit:
        print(f"there are more: continue with --after {shown[-1].event}", file=sys.stderr)


def _print_table(letters: Sequence[DeadLetter], user: str | None, after: str | None) -> None:
    if letters:
        print(heading(), *map(line_of, letters), sep="\n", flush=True)
    else:
        say_none("dead letters", user=user, after=after)


@dead_letters.command
def show(
    event: str, /, *, json: Flag = False, journal: Path | None = None, config: Path | None = None
) -> None:
    """Show a dead letter: each attempt to deliver it, and the event itself.

    Parameters
    ----------
    event
        Its id, as `list` prints it.
    json
        One JSON object, with the event as `record` (null: it was trimmed).
    journal
        The journal's file (greenroom.db). A server may be writing it meanwhile.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    reader = JournalReader(existing_journal(Settings.load(config, journal=journal)))
    known = modern(EventId, event)
    letter, record = reader.dead_letter(known), reader.find(known)
    if letter is None:
        raise no_letter(known)
    if json:
        write_line(json_of(letter, record))
    else:
        print(shown_whole(letter, record))


@dead_letters.command
def requeue(
    event: str,
    /,
    *,
    url: Url = None,
    token: AdminToken = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Emit the event again, at the end of its thread. A running server does it itself.

    Parameters
    ----------
    event
        Its id, as `list` prints it.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    known = modern(EventId, event)

    async def at_rest(opened: SqliteJournal) -> tuple[EventId, int]:
        now = time.time_ns() // 1_000_000
        again = await requeue_at_rest(opened, known, IdSource(), now)
        return again.id, again.offset

    settings = Settings.load(config, journal=journal, admin_token=token)
    again, offset = _done(settings, url, at_rest, lambda server: server.requeue(known))
    print(f"requeued as {again}, offset {offset}")


@dead_letters.command
def drop(
    event: str,
    /,
    *,
    url: Url = None,
    token: AdminToken = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Forget a dead letter; the event stays in its thread. A running server does it itself.

    Parameters
    ----------
    event
        Its id, as `list` prints it.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    known = modern(EventId, event)

    async def at_rest(opened: SqliteJournal) -> None:
        if not await opened.drop_dead_letter(known):
            raise no_letter(known)

    settings = Settings.load(config, journal=journal, admin_token=token)
    _done(settings, url, at_rest, lambda server: server.drop(known))
    print(f"dropped {known}")


def _done(
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
