"""The journals of greenroom pass the suite that everybody's journal can be held to."""

from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import ClassVar, Literal

import pytest
import trio

from greenroom.delivery.journal.commits.threaded_journal import ThreadedJournal
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance import CutNextAppend, Feature, JournalConformance
from tests.delivery.journal.journal_conformance import BACKENDS
from tests.delivery.journal.postgres.cut_wire import CutWire
from tests.delivery.journal.postgres_server import (
    NEEDS_POSTGRES,
    copy_database,
    database_of,
    name_of,
    postgres_server,
    replace_database,
)

pytestmark = pytest.mark.requirement("R20")

ONE_PROCESS = "one process writes it"


class TestMemory(JournalConformance):
    lacks: ClassVar[Mapping[Feature, str]] = {
        "durability": "it keeps nothing",
        "nodes": ONE_PROCESS,
        "answers": "no answer can be lost",
        "copies": "it has no files",
    }

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        return BACKENDS["memory"](place)


class TestSqlite(JournalConformance):
    lacks: ClassVar[Mapping[Feature, str]] = {
        "nodes": ONE_PROCESS,
        "answers": "no answer can be lost",
    }

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        return BACKENDS["sqlite"](place)

    async def copy(self, place: Path) -> None:
        shutil.copy(place / "journal.db", place / "copy.db")

    async def fail_over(self, place: Path, to: Literal["empty", "copy"]) -> None:
        replace_files(place, to)


def replace_files(place: Path, to: Literal["empty", "copy"]) -> None:
    for each in place.glob("journal.db*"):
        each.unlink()
    if to == "copy":
        (place / "copy.db").rename(place / "journal.db")


@NEEDS_POSTGRES
class TestPostgres(JournalConformance):
    examples = 20  # each has to wait for a server

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        return BACKENDS["postgres"](place)

    def open_node(
        self, place: Path, *, lease_seconds: float
    ) -> AbstractAsyncContextManager[Journal]:
        from greenroom.delivery.journal.postgres.journal import open_postgres_journal

        return open_postgres_journal(database_of(place), lease_seconds=lease_seconds)

    @asynccontextmanager
    async def pause(self, journal: Journal) -> AsyncIterator[None]:
        assert isinstance(journal, ThreadedJournal)
        goes_on = threading.Event()
        journal._thread.call_soon(goes_on.wait)
        try:
            yield
        finally:
            goes_on.set()

    @asynccontextmanager
    async def open_over_a_wire(self, place: Path) -> AsyncIterator[tuple[Journal, CutNextAppend]]:
        from greenroom.delivery.journal.postgres.journal import open_postgres_journal

        server, name = postgres_server(), name_of(database_of(place))
        with closing(CutWire(f"{server.directory}/.s.PGSQL.{server.port}")) as wire:
            url = f"postgresql://greenroom@127.0.0.1:{wire.port}/{name}"
            async with open_postgres_journal(url) as journal:
                yield journal, wire.cut_next_commit

    async def copy(self, place: Path) -> None:
        await trio.to_thread.run_sync(copy_database, name_of(database_of(place)))

    async def fail_over(self, place: Path, to: Literal["empty", "copy"]) -> None:
        name = name_of(database_of(place))
        await trio.to_thread.run_sync(replace_database, name, to)
