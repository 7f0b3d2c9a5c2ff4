"""`greenroom runs`: runs that have not ended, and what an operator does about one."""

from __future__ import annotations

import sys
from pathlib import Path

from cyclopts import App

from greenroom.admin.client import AdminClient, usual_client
from greenroom.commands.events import reader_of
from greenroom.commands.options import AdminToken, Flag, Limit, ServerUrl
from greenroom.commands.output.printing import say, say_none
from greenroom.commands.output.streams import write_line
from greenroom.commands.runs.output import heading, json_of, line_of, shown_whole
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.history.run_reader import Found, NoSuchRun, find_run
from greenroom.delivery.journal.sql.reader import SqlReader
from greenroom.delivery.journal.sql.tables.runs import read_open_runs
from greenroom.settings import Settings

runs = App(
    name="runs",
    help="List or show runs that have not ended, retry or cancel one of a running server.",
    help_format="plaintext",
)


@runs.command(name="list")
def list_runs(
    *,
    user: str | None = None,
    limit: Limit = 100,
    json: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """List the runs that have begun and not ended. A server may be writing the journal meanwhile.

    Runs that go on after a loss have an agent, and the number of their attempts.

    Parameters
    ----------
    user
        Only this user's.
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
    with reader.look() as database:
        found = read_open_runs(database, user=whose, limit=limit + 1)
    for line in map(json_of, found[:limit]) if json else ():
        write_line(line)
    if not json and found:
        print(heading(), *map(line_of, found[:limit]), sep="\n", flush=True)
    elif not json:
        say_none("open runs", user=user)
    if len(found) > limit:
        print(f"there are more: raise --limit {limit}", file=sys.stderr)


@runs.command
def show(
    run: str, /, *, json: Flag = False, journal: Path | None = None, config: Path | None = None
) -> None:
    """Show a run that has not ended: its attempts, and the steps that have a result.

    `greenroom timeline` shows the events of any run.

    Parameters
    ----------
    run
        Its id, or the beginning or the end of it.
    json
        One JSON object.
    journal
        The journal's file (greenroom.db). A server may be writing it meanwhile.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    reader, found = _found(run, journal, config)
    with reader.look() as database:
        rows = read_open_runs(database, user=found.user, run=found.run, limit=1)
    if not rows:
        raise NoSuchRun(
            f"run {found.run} has ended",
            advice=f"`greenroom timeline {found.run}` shows its events",
        )
    if json:
        write_line(json_of(rows[0]))
    else:
        print(shown_whole(rows[0]))


@runs.command
def retry(
    run: str,
    /,
    *,
    url: ServerUrl = None,
    token: AdminToken = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Have a running server try a run again.

    A run that waits for its next attempt begins it now. For a run that has ended, what its user
    said is said again in the same thread: a new run, and the same one if you repeat this.
    Of several servers only the one where a run waits can begin it now: ask each.

    Parameters
    ----------
    run
        Its id, or the beginning or the end of it.
    journal
        The server's journal, to find the run in, also with --url (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    reader, found = _found(run, journal, config)
    first = next(reader.read(user=found.user, thread=found.thread, after=found.number - 1, limit=1))
    if first.record.kind is not Kind.USER_SAID or first.record.say is None:
        raise NoSuchRun(
            f"run {found.run} does not answer a message of its user, or that was trimmed",
            advice="have the service that started it start it again",
        )
    server = _server(url, token, config)
    began = server.retry(found.user, found.run, first.record.say)
    say(f"{found.run} is tried again" if began == found.run else f"said again, as {began}")


@runs.command
def cancel(
    run: str,
    /,
    *,
    url: ServerUrl = None,
    token: AdminToken = None,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Have a running server cancel a run, as its user could. Of several servers ask any one.

    Parameters
    ----------
    run
        Its id, or the beginning or the end of it.
    journal
        The server's journal, to find the run in, also with --url (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    _, found = _found(run, journal, config)
    _server(url, token, config).cancel(found.user, found.run)
    say(f"{found.run} is cancelled")


def _found(run: str, journal: Path | None, config: Path | None) -> tuple[SqlReader, Found]:
    reader = reader_of(Settings.load(config, journal=journal))
    return reader, find_run(reader, run)


def _server(url: str | None, token: str | None, config: Path | None) -> AdminClient:
    return usual_client(Settings.load(config, admin_token=token), url)
