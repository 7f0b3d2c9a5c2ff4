"""A journal whose thread can be held: that of a file, so that a group of appends gathers."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import outcome
import trio

from greenroom.actors.reply import Reply
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.commits.threaded_journal import ThreadedJournal
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.sqlite.journal import SqliteJournal, open_sqlite_journal
from greenroom.delivery.observer import Observer


class Commits(Observer):
    """Writes down how many entries each commit had, and which errors there were."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.errors: list[str] = []

    def appended(self, seconds: float, entries: int, size: int) -> None:
        self.sizes.append(entries)

    def append_failed(self, error: str) -> None:
        self.errors.append(error)


class HeldJournal:
    """A journal in a file whose thread waits between `hold` and `release`."""

    def __init__(self, journal: SqliteJournal) -> None:
        self.journal = journal
        self.commits = Commits()
        self.landed: list[str] = []
        journal.report_to(self.commits)
        self._held = threading.Event()

    async def hold(self) -> None:
        """Returns once the thread waits."""
        self._held = threading.Event()
        began = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def wait() -> None:
            token.run_sync_soon(began.set)
            self._held.wait()

        trio.lowlevel.spawn_system_task(self.journal._thread.call, wait)
        await began.wait()

    def release(self) -> None:
        self._held.set()

    def append(self, name: str, *entries: Entry) -> Reply[None]:
        reply = self.journal.append_soon(entries)
        forwarded: Reply[None] = Reply()

        def landed(result: outcome.Value[None] | outcome.Error) -> None:
            self.landed.append(name)
            if isinstance(result, outcome.Error):
                forwarded.fail(result.error)
            else:
                forwarded.succeed(None)

        reply.then(landed)
        return forwarded


@asynccontextmanager
async def open_held(path: Path) -> AsyncIterator[HeldJournal]:
    async with open_sqlite_journal(path / "journal.db") as journal:
        held = HeldJournal(journal)
        await held.hold()
        try:
            yield held
        finally:
            held.release()


@asynccontextmanager
async def paused(journal: Journal) -> AsyncIterator[None]:
    """The journal's thread waits: it renews no lease, and commits nothing."""
    assert isinstance(journal, ThreadedJournal)
    goes_on = threading.Event()
    journal._thread.call_soon(goes_on.wait)
    try:
        yield
    finally:
        goes_on.set()
