"""`greenroom dead-letters`: events that nobody received in their time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import App, Parameter
from cyclopts.validators import Number

from greenroom.commands.events import existing_journal
from greenroom.commands.looking_output import printable
from greenroom.delivery.dead_letters import no_letter, requeue_at_rest
from greenroom.delivery.ids import EventId, IdSource, UserId
from greenroom.delivery.journal import DeadLetter
from greenroom.delivery.journal_reader import JournalReader
from greenroom.delivery.sqlite_journal import open_sqlite_journal
from greenroom.settings import Settings

Limit = Annotated[int, Parameter(validator=Number(gte=1))]

dead_letters = App(
    name="dead-letters",
    help="List, show, requeue, drop events that nobody received.",
    help_format="plaintext",
)


@dead_letters.command(name="list")
def list_letters(
    *,
    user: str | None = None,
    after: str | None = None,
    limit: Limit = 100,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """List dead letters, oldest event first. A server may be writing the journal meanwhile.

    Parameters
    ----------
    user
        Only this user's.
    after
        Only those past this event.
    limit
        No more than so many.
    journal
        The journal's file (greenroom.db).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    reader = JournalReader(existing_journal(Settings.load(config, journal=journal)))
    whose = UserId.parse(user) if user is not None else None
    past = EventId.parse(after) if after is not None else None
    for letter in reader.dead_letters(user=whose, after=past, limit=limit):
        print(_line(letter))


@dead_letters.command
def show(event: str, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Show a dead letter: each attempt to deliver it, and the event itself.

    Parameters
    ----------
    event
        Its id, as `list` prints it.
    journal
        The journal's file (greenroom.db). A server may be writing it meanwhile.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    reader = JournalReader(existing_journal(Settings.load(config, journal=journal)))
    known = EventId.parse(event)
    letter = reader.dead_letter(known)
    if letter is None:
        raise no_letter(known)
    print(_line(letter))
    for each in letter.attempts:
        print(f"  attempt {each.number}  {_time(each.at)}  {each.session}  {each.connection}")
    if not letter.attempts:
        print("  no attempt is known: nobody was sent it twice")
    record = reader.find(known)
    print(printable(record.body.decode()) if record else "  the event itself was trimmed")


@dead_letters.command
def requeue(event: str, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Emit it anew at the end of its thread. Of a stopped server's journal only.

    Parameters
    ----------
    event
        Its id, as `list` prints it.
    journal
        The journal's file (greenroom.db). No server may have it open: in a running one, use
        `runtime.dead_letters.requeue(event)`.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path, known = existing_journal(Settings.load(config, journal=journal)), EventId.parse(event)

    async def main() -> None:
        async with open_sqlite_journal(path) as opened:
            now = time.time_ns() // 1_000_000
            record = await requeue_at_rest(opened, known, IdSource(), now)
        print(f"requeued as {record.id}, offset {record.offset}")

    trio.run(main)


@dead_letters.command
def drop(event: str, /, *, journal: Path | None = None, config: Path | None = None) -> None:
    """Forget a dead letter; the event stays in its thread. Of a stopped server's journal only.

    Parameters
    ----------
    event
        Its id, as `list` prints it.
    journal
        The journal's file (greenroom.db). No server may have it open: in a running one, use
        `runtime.dead_letters.drop(event)`.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    path, known = existing_journal(Settings.load(config, journal=journal)), EventId.parse(event)

    async def main() -> None:
        async with open_sqlite_journal(path) as opened:
            if not await opened.drop_dead_letter(known):
                raise no_letter(known)

    trio.run(main)
    print(f"dropped {known}")


def _line(letter: DeadLetter) -> str:
    user = printable(str(letter.user))
    attempts = f"{len(letter.attempts)} attempts"
    return (
        f"{letter.event}  {letter.kind}  {letter.outcome}  {_time(letter.at)}  {attempts}  {user}"
    )


def _time(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at / 1000))
