"""`greenroom users`: what an operator does about one user of a running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from greenroom.admin.client import usual_client
from greenroom.commands.options import Flag
from greenroom.commands.output.ages import Age, seconds_of
from greenroom.commands.output.printing import say
from greenroom.commands.output.times import moment
from greenroom.delivery.events.ids import UserId
from greenroom.settings import Settings

Url = Annotated[
    str | None,
    Parameter(
        help="The server's URL. Default: GREENROOM_URL, else port 8700 (GREENROOM_PORT) of this "
        "machine."
    ),
]
AdminToken = Annotated[
    str | None,
    Parameter(
        help="The server's admin token. GREENROOM_ADMIN_TOKEN is safer: others cannot see it."
    ),
]

users = App(
    name="users",
    help="Disconnect a user from a running server, or admit the user again.",
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
    url: Url = None,
    token: AdminToken = None,
    config: Path | None = None,
) -> None:
    """End every connection of a user at once, with close code 4509.

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
    say(f"{whose} is disconnected, {ended} connections ended{refused}")


@users.command
def readmit(
    user: str,
    /,
    *,
    url: Url = None,
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
