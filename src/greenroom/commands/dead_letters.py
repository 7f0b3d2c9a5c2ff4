"""`greenroom dead-letters`: events that no client received in time."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App

from greenroom.commands.events import reader_of
from greenroom.commands.options import AdminToken, Flag, Limit
from greenroom.commands.output.dead_letters import heading, line_of, shown_whole
from greenroom.commands.output.printing import say_none
from greenroom.commands.output.streams import write_line
from greenroom.commands.users.here_or_there import Url, done
from greenroom.delivery.dead_letters import letter_json, no_letter, requeue_at_rest
from greenroom.delivery.events.ids import EventId, IdSource, UserId
from greenroom.delivery.events.record import DeadLetter
from greenroom.delivery.journal.sqlite.journal import SqliteJournal
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.settings import Settings

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
    reader = reader_of(Settings.load(config, journal=journal))
    whose = UserId.parse(user) if user is not None else None
    past = modern(EventId, after) if after is not None else None
    letters = reader.dead_letters(user=whose, after=past, limit=limit + 1)
    shown = letters[:limit]
    for line in map(letter_json, shown) if json else ():
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
    reader = reader_of(Settings.load(config, journal=journal))
    known = modern(EventId, event)
    letter, record = reader.dead_letter(known), reader.find(known)
    if letter is None:
        raise no_letter(known)
    if json:
        write_line(letter_json(letter, record))
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
    again, offset = done(settings, url, at_rest, lambda server: server.requeue(known))
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
    done(settings, url, at_rest, lambda server: server.drop(known))
    print(f"dropped {known}")
