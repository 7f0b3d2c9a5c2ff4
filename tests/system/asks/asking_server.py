"""A server whose agent asks its user, and whose process kills itself at a step of that.

`DIE_AT` names the step; the file in `DIED` is made before, so that the next server lives. What is
said is "plain", or "key" for an agent whose run goes on and asks with a key.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import greenroom
from greenroom.delivery.asks.user_ask import UserAsk
from greenroom.delivery.events.ids import AskId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.user.asks import Asks, EndOutcome
from tests.system.processes import serve

DIE_AT, DIED = os.environ.get("DIE_AT", ""), Path(os.environ["DIED"])


def die_at(step: str) -> None:
    if step == DIE_AT and not DIED.exists():
        DIED.touch()
        os.kill(os.getpid(), signal.SIGKILL)


KINDS = (Kind.INPUT_REQUESTED, Kind.INPUT_ANSWERED, Kind.INPUT_CLOSED)
append, ended = SqlStore.append, Asks._ended


def deadly_append(self: SqlStore, entries: Sequence[Entry]) -> None:
    """Dies around the commit of an event of a question."""
    kinds = {each.kind for each in entries if isinstance(each, Record)}.intersection(KINDS)
    for kind in kinds:
        die_at(f"before {kind}")
    append(self, entries)
    for kind in kinds:
        die_at(f"after {kind}")


def deadly_end(self: Asks, ask: AskId, end: EndOutcome) -> None:
    """Dies once the actor has the end, and has told it to nobody or to everybody."""
    die_at("before it is told")
    ended(self, ask, end)
    die_at("after it is told")


SqlStore.append = deadly_append  # type: ignore[method-assign]  # the point
Asks._ended = deadly_end  # type: ignore[method-assign]  # the point


@greenroom.agent(when_lost="again", attempts=3)
async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    key = "delete" if said == "key" else None
    expires = 0.2 if said == "expires" else None
    ask: UserAsk[greenroom.JSON] = run.ask(
        "Delete 14 files?", options=["yes", "no"], key=key, expires=expires, default="no"
    )
    answer = await ask
    die_at("once the agent has it")
    await run.final_report(report=answer)


if __name__ == "__main__":
    serve(agent)
