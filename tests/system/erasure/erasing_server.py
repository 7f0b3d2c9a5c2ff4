"""A server whose process kills itself at a step of the erasure of a thread, or of a user.

`DIE_AT` names it: "before 2", "in 2" (its changes are made, but not committed) or "after 2"; "after
last" is the step that leaves nothing. Of a user's erasure: "user before 2" and so on; "user in
last" is in the one that does. The file in `DIED` is made before, so that the next server
lives. The agent says what was said EVENTS times.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import apsw

import greenroom
from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.journal.sql import store
from greenroom.delivery.journal.sql.store import SqlStore
from tests.system.processes import serve

DIE_AT, DIED = os.environ.get("DIE_AT", ""), Path(os.environ["DIED"])
EVENTS = int(os.environ["EVENTS"])


def die_at(step: str) -> None:
    if step == DIE_AT and not DIED.exists():
        DIED.touch()
        os.kill(os.getpid(), signal.SIGKILL)


class Step:
    number = 0


erase_thread, commit_step = store.erase_thread, SqlStore.erase_thread


def deadly_erase(database: apsw.Connection, user: UserId, thread: ThreadId, through: int) -> bool:
    more = erase_thread(database, user, thread, through)
    die_at(f"in {Step.number}")
    return more


def deadly_step(self: SqlStore, user: UserId, thread: ThreadId, through: int) -> bool:
    Step.number += 1
    die_at(f"before {Step.number}")
    more = commit_step(self, user, thread, through)
    die_at(f"after {Step.number}" if more else "after last")
    return more


erase_user, commit_user_step = store.erase_user, SqlStore.erase_user


def deadly_erase_user(database: apsw.Connection, user: UserId) -> None:
    erase_user(database, user)
    die_at("user in last")


def deadly_user_step(self: SqlStore, user: UserId) -> bool:
    Step.number += 1
    die_at(f"user before {Step.number}")
    more = commit_user_step(self, user)
    die_at(f"user after {Step.number}" if more else "user after last")
    return more


store.erase_user = deadly_erase_user
SqlStore.erase_user = deadly_user_step  # type: ignore[method-assign]  # the point
store.erase_thread = deadly_erase
SqlStore.erase_thread = deadly_step  # type: ignore[method-assign]  # the point


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    for number in range(EVENTS):
        await run.partial_result(text=f"{said} {number} ")
    await run.final_report(report=said)


if __name__ == "__main__":
    serve(agent)
