"""Nodes of the tests that share a journal in Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from greenroom.delivery.journal.postgres.journal import open_postgres_journal
from tests.delivery.backstage import Backstage, open_backstage
from tests.delivery.journal.postgres_server import database_of

LEASE = 60.0


@asynccontextmanager
async def node(directory: Path) -> AsyncIterator[Backstage]:
    url = database_of(directory)
    async with (
        open_postgres_journal(url, lease_seconds=LEASE) as journal,
        open_backstage(journal) as stage,
    ):
        yield stage


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not holds():  # noqa: ASYNC110  # nothing announces it
            await trio.sleep(0.01)
