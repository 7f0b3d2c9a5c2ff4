"""A web node or a worker whose lease is brief: `python node.py PORT ROLE URL`.

The agent writes into the ledger that it begins, in which process; told to hold, it waits for the
file `go` beside the ledger.
"""

from __future__ import annotations

import os
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

import greenroom
from greenroom.delivery.journal.postgres.journal import open_postgres_journal
from greenroom.delivery.journal.redis.journal import open_redis_journal
from greenroom.settings.database_url import DatabaseUrl
from greenroom.settings.role import NodeRole

LEASE_SECONDS = 1.5
LEDGER = Path(os.environ["LEDGER"])


def note(line: str) -> None:
    with LEDGER.open("a") as ledger:
        ledger.write(line)


@greenroom.agent(when_lost="again", attempts=5)
async def cook(run: greenroom.Run, said: greenroom.JSON) -> None:
    note(f"{said} {run.attempt} {os.getpid()}\n")
    while str(said).startswith("hold") and not LEDGER.with_name("go").exists():
        await run.agent_thinking(text="not yet")
        await trio.sleep(0.05)
    await run.final_report(report=said)


async def main(port: int, role: str, url: str) -> None:
    settings = greenroom.Settings(
        port=port, journal=url, role=role, concurrency=4, secret=os.environ["SECRET"]
    )
    async with AsyncExitStack() as stack:
        opener = open_redis_journal if DatabaseUrl(url).is_in_redis else open_postgres_journal
        opened = opener(url, lease_seconds=LEASE_SECONDS)
        journal = await stack.enter_async_context(opened)
        runtime = await stack.enter_async_context(
            greenroom.open_runtime(settings, cook, journal=journal)
        )
        if settings.role != NodeRole.WORKER:
            port = await runtime.listen()
        print(f"{role} {os.getpid()} at http://127.0.0.1:{port}", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(partial(main, int(sys.argv[1]), sys.argv[2], sys.argv[3]))
