"""A journal that is called from plain code."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias, TypeVar

import trio

from greenroom.delivery.journal.journal import Journal

R = TypeVar("R")
OpenJournal: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Journal]]


class SyncJournal:
    """A journal in a trio run of its own thread, called from plain code."""

    def __init__(self, open_journal: OpenJournal, directory: Path) -> None:
        self._started: Future[tuple[Journal, trio.lowlevel.TrioToken, trio.Event]] = Future()
        self._thread = threading.Thread(target=self._live, args=(open_journal, directory))
        self._thread.start()
        self.journal, self._token, self._stop = self._started.result()

    def _live(self, open_journal: OpenJournal, directory: Path) -> None:
        try:
            trio.run(self._main, open_journal, directory)
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _main(self, open_journal: OpenJournal, directory: Path) -> None:
        stop = trio.Event()
        async with open_journal(directory) as journal:
            self._started.set_result((journal, trio.lowlevel.current_trio_token(), stop))
            await stop.wait()

    def call(self, work: Callable[[], Awaitable[R]]) -> R:
        return trio.from_thread.run(work, trio_token=self._token)

    def close(self) -> None:
        self._token.run_sync_soon(self._stop.set)
        self._thread.join()
