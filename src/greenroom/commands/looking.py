"""`greenroom tree`, `crashes`, `crash`, `explain` and `why`: what goes on, what failed."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from greenroom.admin.client import AdminClient, NoSuchCrash, usual_client
from greenroom.admin.crashes.door import CRASHES
from greenroom.commands.events import reader_of
from greenroom.commands.options import Flag
from greenroom.commands.output.explanation import shown_answer, shown_whole
from greenroom.commands.output.looking import (
    crash_view,
    crashes_table,
    tree_view,
)
from greenroom.commands.output.printing import show
from greenroom.commands.output.streams import write_line
from greenroom.commands.tree.nodes import client_of
from greenroom.delivery.events.ids import BadId, EventId, type_of
from greenroom.delivery.history.explanation import FailureExplanation
from greenroom.delivery.history.unseen.answer import WhyUnseen
from greenroom.delivery.history.unseen.choice import subject_of
from greenroom.delivery.history.unseen.evidence import ReadEventEvidence
from greenroom.delivery.journal.sql.reader import SqlReader
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.settings import BadSettings, Settings
from greenroom.supervisor.inspection.as_json import CrashLine

WHERE = "run `greenroom crashes` to list the crashes that are kept"
Children = Annotated[int, Parameter(validator=Number(gte=0, lte=1000))]


def tree(
    url: str | None = None,
    *,
    token: str | None = None,
    watch: Flag = False,
    every: Annotated[float, Parameter(validator=Number(gte=0.1, lte=86_400))] = 1.0,
    children: Children = 100,
    json: Flag = False,
    node: str | None = None,
    journal: Annotated[str | None, Parameter(show_default=False)] = None,
    config: Path | None = None,
) -> None:
    """Show the supervision tree of a running server.

    Parameters
    ----------
    url
        The server's URL. Default: GREENROOM_URL, else port 8700 (GREENROOM_PORT) of this machine.
    token
        The server's admin token. GREENROOM_ADMIN_TOKEN is safer: others cannot see it.
    watch
        Keep the tree on the screen. s sorts, / searches, enter shows a node's history, q quits.
    every
        Seconds between two looks while watching.
    children
        Show at most this number of each supervisor's children.
    json
        As JSON (schema greenroom.tree/1).
    node
        A node of the servers that share a journal: its number, or where it is, as in `nodes`.
    journal
        With --node, the journal's URL, postgresql://…, redis://… or redis+cluster://….
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings = Settings.load(config, admin_token=token, journal=journal)
    client = usual_client(settings, url) if node is None else client_of(node, settings, url)
    if json:
        write_line(client.raw_tree(children))
    elif not watch:
        show(tree_view(client.tree(children=children)))
    elif not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadSettings(
            ["--watch needs a terminal"], advice="run it in a terminal, or use --json in a program"
        )
    else:
        from greenroom.commands.tree.screen import watch_tree  # needs termios: no Windows

        client.tree(children=0)  # say what is wrong before the screen is taken
        watch_tree(client, every=every, children=children)


def crashes(
    url: str | None = None,
    *,
    token: str | None = None,
    json: Flag = False,
    config: Path | None = None,
) -> None:
    """List the crashes that a running server and its journal remember, newest first.

    Parameters
    ----------
    url
        The server's URL. Default: GREENROOM_URL, else port 8700 (GREENROOM_PORT) of this machine.
    token
        The server's admin token. GREENROOM_ADMIN_TOKEN is safer: others cannot see it.
    json
        As JSON (schema greenroom.crashes/1).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    client = _client(url, token, config)
    if json:
        write_line(client.raw(CRASHES))
    elif lines := client.crashes():
        show(crashes_table(lines))
    else:
        print("nothing has crashed")


def crash(
    *url_and_id: str,
    url: str | None = None,
    token: str | None = None,
    json: Flag = False,
    config: Path | None = None,
) -> None:
    """Show one crash: the error, the last messages, and the crashes that led to it.

    Parameters
    ----------
    url_and_id
        The crash's id, as `greenroom crashes` lists it; its beginning is enough. The server's URL
        may stand before it.
    url
        The server's URL. Default: GREENROOM_URL, else port 8700 (GREENROOM_PORT) of this machine.
    token
        The server's admin token. GREENROOM_ADMIN_TOKEN is safer: others cannot see it.
    json
        As JSON (schema greenroom.crash/1): what `greenroom replay` reads.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    where, id_ = _url_and_id(url, url_and_id)
    client = _client(where, token, config)
    line = _line(client, id_)
    if json:
        write_line(client.raw_crash(line.id))
    else:
        show(crash_view(client.crash(line.id), line))


def explain(
    reference: str,
    /,
    *,
    url: str | None = None,
    token: str | None = None,
    json: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Show what failed behind a reference that a user was shown: the error and its traceback.

    It reads the journal, beside a server or without one. With --url it asks a server instead.

    Parameters
    ----------
    reference
        The `reference` of an `agent_failed` or a `tool_completed`: the event's id.
    url
        The server to ask instead of reading a journal here.
    token
        The server's admin token. GREENROOM_ADMIN_TOKEN is safer: others cannot see it.
    json
        As JSON (schema greenroom.explanation/1).
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    event = modern(EventId, reference)
    settings = Settings.load(config, journal=journal, admin_token=token)
    if url is not None:
        found = usual_client(settings, url).explanation(event)
    else:
        reader = _reader(settings)
        found = FailureExplanation.of(event, reader.find(event), reader.cause(event))
    if json:
        write_line(found.as_json())
    else:
        print(shown_whole(found), flush=True)


def why(
    subject: str,
    /,
    *,
    url: str | None = None,
    token: str | None = None,
    json: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Say in one sentence why a user did not see an event, and what shows it.

    It reads the journal, beside a server or without one. With --url it asks a server instead, which
    knows its connections, too.

    Parameters
    ----------
    subject
        An event, by its id or the reference that its user was shown; or a run, a thread or a user,
        of which the first event that no tab received is meant.
    url
        The server to ask instead of reading a journal here.
    token
        The server's admin token. GREENROOM_ADMIN_TOKEN is safer: others cannot see it.
    json
        As JSON (schema greenroom.why/1).
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    asked = subject_of(subject)
    settings = Settings.load(config, journal=journal, admin_token=token)
    if url is not None:
        found = usual_client(settings, url).why(asked)
    else:
        question = ReadEventEvidence(asked, round(time.time() * 1000))
        found = WhyUnseen.of(_reader(settings).answer(question))
    if json:
        write_line(found.as_json())
    else:
        print(shown_answer(found), flush=True)


def _reader(settings: Settings) -> SqlReader:
    try:
        return reader_of(settings)
    except BadSettings as error:
        server = "add --url to ask a running server"
        raise BadSettings(error.problems, advice=f"{server}, or {error.advice}") from error


def _url_and_id(url: str | None, given: Sequence[str]) -> tuple[str | None, str]:
    match given:
        case [id_]:
            return url, id_
        case [first, id_] if url is None:
            return first, id_
    beside = "" if url is None else " beside --url"
    raise BadSettings(
        [f"the arguments must be a crash's id, or a URL and an id; got {len(given)}{beside}"],
        advice=WHERE,
    )


def _line(client: AdminClient, id_: str) -> CrashLine:
    """Raises `BadId` for an id of anything else, and `NoSuchCrash`."""
    if (kind := type_of(id_)) is not None:
        raise BadId("crash", kind.kind, id_, advice=WHERE)
    found = [line for line in client.crashes() if line.id.startswith(id_.lower())]
    if len(found) > 1:
        raise NoSuchCrash(
            f"{id_!r} matches {len(found)} crashes: {', '.join(line.id for line in found)}",
            advice="give more of the crash's id",
        )
    if not found:
        raise NoSuchCrash(f"no crash that is kept has an id that begins with {id_!r}", advice=WHERE)
    return found[0]


def _client(url: str | None, token: str | None, config: Path | None) -> AdminClient:
    return usual_client(Settings.load(config, admin_token=token), url)
