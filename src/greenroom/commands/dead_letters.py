"""`greenroom dead-letters`: events that nobody received in their time."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import orjson
import trio
from cyclopts import App, Parameter
from cyclopts.validators import Number

from greenroom.commands.events import existing_journal
from greenroom.commands.looking_output import printable
from greenroom.delivery.dead_letters import no_letter, requeue_at_rest
from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.ids import EventId, IdSource, UserId
from greenroom.delivery.journal import DeadLetter, Record
from greenroom.delivery.journal_reader import JournalReader
from greenroom.delivery.legacy_ids import modern
from greenroom.delivery.sqlite_journal import SqliteJournal, open_sqlite_journal
from greenroom.settings import Settings

Limit = Annotated[int, Parameter(validator=Number(gte=1))]
Flag = Annotated[bool, Parameter(negative="")]

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
    json: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """List dead letters, oldest event first. A server may be writing the journal meanwhile.

    Where there are more, how to go on is said on standard error.

    Parameters
    ----------
    user
        Only this user's.
    after
        Only those past this event.
    limit
        No more than so many.
    json
        One JSON object a line.
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
    if shown and not json:
        print(_heading())
    for letter in shown:
        print(_json(letter) if json else _line(letter))
    if len(letters) > limit:
        sys.stdout.flush()
        print(f"there are more: --after {shown[-1].event}", file=sys.stderr)


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
    print(_json(letter, record) if json else _told(letter, record))


def _told(letter: DeadLetter, record: Record | None) -> str:
    lines = [_heading(), _line(letter)]
    for each in letter.attempts:
        lines.append(
            f"  attempt {each.number}  {_time(each.at)}  {each.session}  {each.connection}"
        )
    if not letter.attempts:
        lines.append("  no attempt is known: nobody was sent it twice")
    lines.append(printable(record.body.decode()) if record else "  the event itself was trimmed")
    return "\n".join(lines)


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
    path, known = existing_journal(Settings.load(config, journal=journal)), modern(EventId, event)

    async def main() -> None:
        async with _at_rest(path, "requeue") as opened:
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
    path, known = existing_journal(Settings.load(config, journal=journal)), modern(EventId, event)

    async def main() -> None:
        async with _at_rest(path, "drop") as opened:
            if not await opened.drop_dead_letter(known):
                raise no_letter(known)

    trio.run(main)
    print(f"dropped {known}")


@asynccontextmanager
async def _at_rest(path: Path, what: str) -> AsyncIterator[SqliteJournal]:
    """The journal of a stopped server. Raises `JournalBusy` beside a running one."""
    try:
        async with open_sqlite_journal(path) as journal:
            yield journal
    except JournalBusy as busy:
        raise JournalBusy(
            busy.message,
            advice=f"a running server does it by `await runtime.dead_letters.{what}(event)`; "
            "this command needs it stopped: clients resume when it is back",
        ) from busy


def _json(letter: DeadLetter, *records: Record | None) -> str:
    """On `records` it depends whether the event itself belongs to it."""
    told: dict[str, object] = {
        "event": str(letter.event),
        "user": str(letter.user),
        "offset": letter.offset,
        "kind": str(letter.kind),
        "outcome": letter.outcome,
        "at": letter.at,
        "attempts": [
            {
                "attempt": each.number,
                "at": each.at,
                "session": str(each.session),
                "connection": str(each.connection),
            }
            for each in letter.attempts
        ],
    }
    for record in records:
        told["record"] = None if record is None else orjson.Fragment(record.body)
    return orjson.dumps(told).decode()


def _heading() -> str:
    return _columns("event", "kind", "outcome", "given up", "attempts", "user")


def _line(letter: DeadLetter) -> str:
    attempts, user = len(letter.attempts), printable(str(letter.user))
    return _columns(
        letter.event, letter.kind, letter.outcome, _time(letter.at), f"{attempts:>8}", user
    )


def _columns(event: str, kind: str, outcome: str, at: str, attempts: str, user: str) -> str:
    return f"{event:<30}  {kind:<15}  {outcome:<13}  {at:<20}  {attempts}  {user}"


def _time(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at / 1000))
