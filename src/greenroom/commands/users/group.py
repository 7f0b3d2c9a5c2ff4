"""`greenroom users`: what an operator does about one user."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from greenroom.actors.text.escaping import one_line
from greenroom.admin.client import usual_client
from greenroom.commands.events import reader_of
from greenroom.commands.options import AdminToken, Flag, ServerUrl, not_erased
from greenroom.commands.output.ages import Age, seconds_of
from greenroom.commands.output.printing import counted, say
from greenroom.commands.output.streams import write_line
from greenroom.commands.users.here_or_there import Url, check_reachable, done
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.history.times import moment
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.user_data import check_kept, erase_from, export_lines
from greenroom.settings import Settings

NO_ROWS: Final = 2  # lines of an export: the first names the user, the last has the number of rows

users = App(
    name="users",
    help="Disconnect or readmit a user, and export or erase all that is kept of one.",
    help_format="plaintext",
)


@users.command
def disconnect(
    user: str,
    /,
    *,
    reason: str = "",
    for_: Annotated[Age | None, Parameter(name="--for")] = None,
    reconnect: Flag = False,
    cancel_runs: Flag = False,
    url: ServerUrl = None,
    token: AdminToken = None,
    config: Path | None = None,
) -> None:
    """End every connection of a user at once, with close code 4509.

    Of several servers ask any one: all end theirs. The number that is printed is that server's.

    Parameters
    ----------
    user
        The user's id.
    reason
        What the user is shown, in a few words.
    for_
        Refuse the user's connections for this time: 7d, 12w, 36h, 30m, 10s.
    reconnect
        Let the user's clients come back by themselves.
    cancel_runs
        Cancel the user's runs, too; otherwise they go on.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whose = UserId.parse(user)
    server = usual_client(Settings.load(config, admin_token=token), url)
    until = None if for_ is None else time.time() + seconds_of("--for", for_)
    asked = {
        "reason": reason,
        "until": "" if until is None else repr(until),
        "reconnect": "yes" if reconnect else "",
        "runs": "cancel" if cancel_runs else "",
    }
    ended = server.disconnect(whose, **{name: word for name, word in asked.items() if word})
    refused = "" if until is None else f"; refused until {moment(until)}"
    say(f"{whose} is disconnected, {counted(ended, 'connection')} ended{refused}")


@users.command
def readmit(
    user: str,
    /,
    *,
    url: ServerUrl = None,
    token: AdminToken = None,
    config: Path | None = None,
) -> None:
    """Admit a user again before the time that `disconnect --for` set.

    Parameters
    ----------
    user
        The user's id.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whose = UserId.parse(user)
    server = usual_client(Settings.load(config, admin_token=token), url)
    was_refused = server.readmit(whose)
    say(f"{whose} is admitted again" if was_refused else f"{whose} was not refused")


@users.command
def export(user: str, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Print all that is kept of a user, as JSON lines. A server may be writing it meanwhile.

    The last line has the number of rows, so that a cut file is recognised.

    Parameters
    ----------
    user
        The user's id.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whose = UserId.parse(user)
    reader = reader_of(Settings.load(config, journal=journal))
    count = 0
    for line in export_lines(partial(reader.user_rows, whose), whose, reader.epoch()):
        write_line(line.rstrip(b"\n"))
        count += 1
    if count <= NO_ROWS:
        print(one_line(f"nothing is kept of {whose}"), file=sys.stderr)


@users.command
def erase(
    user: str,
    /,
    *,
    yes: Flag = False,
    url: Url = None,
    token: AdminToken = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Erase all that is kept of a user, for good. A running server does it itself.

    The user's connections are closed first, and live runs cancelled. Backups keep what they have.

    Parameters
    ----------
    user
        The user's id.
    yes
        Really do it; without it nothing is erased.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    whose = UserId.parse(user)
    settings = Settings.load(config, journal=journal, admin_token=token)
    if not yes:
        check_reachable(settings, url)
        raise not_erased(f"all that is kept of {whose}")
    at_rest = partial(_erase, user=whose)
    done(settings, url, at_rest, lambda server: server.erase_user(whose))
    say(f"all that was kept of {whose} is erased")


async def _erase(journal: Journal, user: UserId) -> None:
    await check_kept(journal, user)
    await erase_from(journal, user)
