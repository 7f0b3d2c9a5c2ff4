"""A node in a process of its own, which may be killed or stopped: it speaks to alice until then.

Prints the id of each event once it is durable, and how the run ended.
"""

from __future__ import annotations

import sys
from typing import Any

import trio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.errors import EventNotKept, RunStopped
from greenroom.delivery.journal.postgres.journal import open_postgres_journal
from greenroom.delivery.journal.redis.journal import open_redis_journal
from tests.delivery.backstage import Backstage, open_backstage


async def main(url: str, lease: float) -> None:
    async with (
        opened(url)(url, lease_seconds=lease) as journal,
        open_backstage(journal) as stage,
    ):
        try:
            async with stage.run() as run:
                while True:
                    receipt = await run.agent_thinking(text="alive")
                    print(receipt.event, flush=True)
                    await trio.sleep(0.02)
        except GreenroomError as error:
            print(type(error).__name__, flush=True)
        while not await reports(stage):  # noqa: ASYNC110  # it may lose its lease again
            await trio.sleep(0.05)


def opened(url: str) -> Any:
    return open_redis_journal if url.startswith("redis") else open_postgres_journal


async def reports(stage: Backstage) -> bool:
    """Whether the node can report again."""
    try:
        async with stage.run() as run:
            await run.final_report(report="as a new node")
    except (EventNotKept, RunStopped):
        return False
    print("reported", flush=True)
    return True


if __name__ == "__main__":
    trio.run(main, sys.argv[1], float(sys.argv[2]))
