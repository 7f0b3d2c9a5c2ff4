"""`greenroom threads`: a user's threads."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
from cyclopts import App, Parameter
from cyclopts.validators import Number

from greenroom.commands.events import reader_of
from greenroom.commands.options import AdminToken, BadOptions, Flag, not_erased
from greenroom.commands.output.printing import say, say_none
from greenroom.commands.output.streams import write_line
from greenroom.commands.users.here_or_there import Url, check_reachable, done
from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.events.threads import (
    MOST_THREADS,
    Thread,
    UnknownThread,
    checked_title,
)
from greenroom.delivery.history.times import moment
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadThread
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.settings import Settings

PageLimit = Annotated[int, Parameter(validator=Number(gte=1, lte=MOST_THREADS))]

threads = App(
    name="threads",
    help="List, show, name, archive or erase a user's threads.",
    help_format="plaintext",
)


@threads.command(name="list")
def list_threads(
    user: str,
    /,
    *,
    before: str | None = None,
    limit: PageLimit = 50,
    archived: Flag = False,
    json: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """List a user's threads, the one used last first. A server may be writing it.

    If there are more, standard error says how to continue.

    Parameters
    ----------
    user
        The user's id.
    before
        Only those after this thread in the list.
    limit
        Show at most this number, up to 100.
    archived
        Those that are archived, in place of those that are not.
    json
        One JSON object per line.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whose = UserId.parse(user)
    place = None if before is None else modern(ThreadId, before)
    reader = reader_of(Settings.load(config, journal=journal))
    page = reader.threads(whose, place, limit, archived=archived)
    for thread in page.threads:
        write_line(orjson.dumps(thread.as_json())) if json else say(_line_of(thread))
    if not page.threads and not json:
        say_none("threads", user=user, before=before)
    if page.more:
        print(f"there are more: continue with --before {page.threads[-1].thread}", file=sys.stderr)


@threads.command
def show(
    user: str,
    thread: str,
    /,
    *,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Show a thread, as JSON. `greenroom events --thread` shows its events.

    Parameters
    ----------
    user
        The user's id.
    thread
        Its id, as `list` prints it.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    reader = reader_of(Settings.load(config, journal=journal))
    whose, known = UserId.parse(user), modern(ThreadId, thread)
    found = reader.thread(whose, known)
    if found is None:
        raise _unknown(whose, known)
    write_line(orjson.dumps(found.as_json()))


@threads.command
def title(
    user: str,
    thread: str,
    title: str,
    /,
    *,
    url: Url = None,
    token: AdminToken = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Name a thread. A running server does it itself.

    Parameters
    ----------
    user
        The user's id.
    thread
        Its id, as `list` prints it.
    title
        Its new title, at most 200 characters.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whose, known, named = UserId.parse(user), modern(ThreadId, thread), _titled(title)
    settings = Settings.load(config, journal=journal, admin_token=token)
    at_rest = partial(_change, whose, known, title=named)
    done(settings, url, at_rest, lambda server: server.change_thread(whose, known, title=named))
    say(f"{known} is now {named!r}")


@threads.command
def archive(
    user: str,
    thread: str,
    /,
    *,
    back: Flag = False,
    url: Url = None,
    token: AdminToken = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Archive a thread, so that the list is without it. A running server does it itself.

    Parameters
    ----------
    user
        The user's id.
    thread
        Its id, as `list` prints it.
    back
        Take it back into the list.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whose, known = UserId.parse(user), modern(ThreadId, thread)
    settings = Settings.load(config, journal=journal, admin_token=token)
    at_rest, word = partial(_change, whose, known, archived=not back), "no" if back else "yes"
    done(settings, url, at_rest, lambda server: server.change_thread(whose, known, archived=word))
    say(f"{known} is in the list again" if back else f"{known} is archived")


@threads.command
def erase(
    user: str,
    thread: str,
    /,
    *,
    yes: Flag = False,
    url: Url = None,
    token: AdminToken = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Erase a thread for good. A running server does it itself, and cancels its live runs first.

    Backups keep what they have.

    Parameters
    ----------
    user
        The user's id.
    thread
        Its id, as `list` prints it.
    yes
        Really do it; without it nothing is erased.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whose, known = UserId.parse(user), modern(ThreadId, thread)
    settings = Settings.load(config, journal=journal, admin_token=token)
    if not yes:
        check_reachable(settings, url)
        raise not_erased(known)
    at_rest = partial(_erase, whose, known)
    done(settings, url, at_rest, lambda server: server.erase_thread(whose, known))
    say(f"{known} is erased")


def _titled(title: str) -> str:
    try:
        return checked_title(title)
    except ValueError as error:
        raise BadOptions(str(error)) from error


async def _change(
    user: UserId,
    thread: ThreadId,
    journal: Journal,
    *,
    title: str | None = None,
    archived: bool | None = None,
) -> None:
    changed = journal.change_thread_soon(user, thread, title=title, archived=archived)
    if not await changed.wait():
        raise _unknown(user, thread)


async def _erase(user: UserId, thread: ThreadId, journal: Journal) -> None:
    if await journal.ask(ReadThread(user, thread), whose=user).wait() is None:
        raise _unknown(user, thread)
    through = (await journal.bounds(user)).last
    while await journal.erase_thread_soon(user, thread, through=through).wait():
        pass


def _unknown(user: UserId, thread: ThreadId) -> UnknownThread:
    return UnknownThread(
        f"{user} has no thread {thread}",
        advice=f"`greenroom threads list {user}` lists those there are",
    )


def _line_of(thread: Thread) -> str:
    return f"{thread.thread}  {moment(thread.updated / 1000)}  {thread.title or '(no title)'}"
