"""How the suite for journals opens the one in Postgres, and harms it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Literal

import trio

from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance import CutNextAppend, JournalConformance
from tests.delivery.journal.held_journal import paused
from tests.delivery.journal.postgres.cut_wire import CutWire
from tests.delivery.journal.postgres_server import (
    copy_database,
    database_of,
    name_of,
    postgres_server,
    replace_database,
)


class PostgresConformance(JournalConformance):
    examples = 10  # each has to wait for a server
    node_examples = 6

    def url(self, place: Path) -> str:
        return database_of(place)

    def socket(self) -> str:
        server = postgres_server()
        return f"{server.directory}/.s.PGSQL.{server.port}"

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        from greenroom.delivery.journal.postgres.journal import open_postgres_journal

        return open_postgres_journal(self.url(place))

    def open_node(
        self, place: Path, *, lease_seconds: float
    ) -> AbstractAsyncContextManager[Journal]:
        from greenroom.delivery.journal.postgres.journal import open_postgres_journal

        return open_postgres_journal(self.url(place), lease_seconds=lease_seconds)

    def pause(self, journal: Journal) -> AbstractAsyncContextManager[None]:
        return paused(journal)

    @asynccontextmanager
    async def open_over_a_wire(self, place: Path) -> AsyncIterator[tuple[Journal, CutNextAppend]]:
        from greenroom.delivery.journal.postgres.journal import open_postgres_journal

        name = name_of(self.url(place))
        with closing(CutWire(self.socket())) as wire:
            url = f"postgresql://greenroom@127.0.0.1:{wire.port}/{name}"
            async with open_postgres_journal(url) as journal:
                yield journal, wire.cut_next_commit

    async def copy(self, place: Path) -> None:
        await trio.to_thread.run_sync(copy_database, name_of(self.url(place)))

    async def fail_over(self, place: Path, to: Literal["empty", "copy"]) -> None:
        await trio.to_thread.run_sync(replace_database, name_of(self.url(place)), to)
