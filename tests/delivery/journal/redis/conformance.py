"""How the suite opens, cuts and replaces a journal in Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import ClassVar, Literal

import trio

from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance import CutNextAppend, JournalConformance
from tests.delivery.journal.held_journal import paused
from tests.delivery.journal.postgres.cut_wire import CutWire
from tests.delivery.journal.redis_server import (
    copy_journal,
    number_of,
    redis_server,
    redis_url_of,
    replace_journal,
)


class RedisConformance(JournalConformance):
    examples = 6  # each has to wait for a server
    node_examples = 3
    program: ClassVar[str] = "redis-server"

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        from greenroom.delivery.journal.redis.journal import open_redis_journal

        return open_redis_journal(redis_url_of(place, self.program))

    def open_node(
        self, place: Path, *, lease_seconds: float
    ) -> AbstractAsyncContextManager[Journal]:
        from greenroom.delivery.journal.redis.journal import open_redis_journal

        return open_redis_journal(redis_url_of(place, self.program), lease_seconds=lease_seconds)

    def pause(self, journal: Journal) -> AbstractAsyncContextManager[None]:
        return paused(journal)

    @asynccontextmanager
    async def open_over_a_wire(self, place: Path) -> AsyncIterator[tuple[Journal, CutNextAppend]]:
        from greenroom.delivery.journal.redis.journal import open_redis_journal

        server = redis_server(self.program)
        with closing(CutWire(("127.0.0.1", server.port), b"greenroom:rows:")) as wire:
            url = f"redis://127.0.0.1:{wire.port}/{number_of(place)}"
            async with open_redis_journal(url) as journal:
                yield journal, wire.cut_next_commit

    async def copy(self, place: Path) -> None:
        await trio.to_thread.run_sync(copy_journal, place, self.program)

    async def fail_over(self, place: Path, to: Literal["empty", "copy"]) -> None:
        await trio.to_thread.run_sync(replace_journal, place, to, self.program)
