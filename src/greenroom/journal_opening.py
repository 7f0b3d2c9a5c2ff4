"""Opens the journal that a runtime writes, and waits for another process to close it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from greenroom.delivery.errors import JournalBusy, JournalError
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.settings import Settings
from greenroom.settings.database_url import DATABASES, DatabaseUrl
from greenroom.settings.role import NodeRole
from greenroom.settings.sources import BadSettings

JOURNAL_LOOK_SECONDS = 0.1
"""Seconds between two attempts to open a journal that another process has open."""

logger = logging.getLogger("greenroom")


@asynccontextmanager
async def open_journal(settings: Settings, given: Journal | None) -> AsyncIterator[Journal]:
    """The journal of the caller, or the one of the settings, which is closed at the end.

    Raises the errors of `open_sqlite_journal`, `open_postgres_journal` and `open_redis_journal`,
    and `BadSettings`.
    """
    _check_role(settings, given)
    if given is not None:
        yield given
    elif settings.in_memory:
        yield MemoryJournal()
    else:
        async with AsyncExitStack() as stack:
            yield await _open_in_turn(settings, stack)


def _check_role(settings: Settings, given: Journal | None) -> None:
    place = settings.journal
    is_shared = isinstance(place, DatabaseUrl) if given is None else given.nodes is not None
    if settings.role != NodeRole.ALL and not is_shared:
        raise BadSettings(
            [f"{settings.role!r} needs a journal that servers share, not {place}"],
            advice=f"name one with --journal {DATABASES}",
        )


async def begin(journal: Journal, wall_clock: Callable[[], float]) -> None:
    """What passed without a server is to expire no event. A full disk keeps none from starting."""
    try:
        await journal.alive(round(wall_clock() * 1000), after=0)
    except JournalError as error:
        logger.warning("the journal does not know yet that a server is at work: %s", error)


async def _open_in_turn(settings: Settings, stack: AsyncExitStack) -> Journal:
    """Open the journal; if `settings.journal_wait` is set, wait until another process closes it."""
    interval = settings.commit_interval
    deadline = trio.current_time() + (settings.journal_wait or 0.0)
    is_told = False
    while True:
        try:
            opened = _opened(settings.journal, interval)
            return await stack.enter_async_context(opened)
        except JournalBusy as busy:
            if trio.current_time() >= deadline:
                raise
            if not is_told:
                logger.info("waiting up to %g s: %s", settings.journal_wait, busy.message)
            is_told = True
        await trio.sleep(JOURNAL_LOOK_SECONDS)


def _opened(journal: Path | DatabaseUrl, interval: float) -> AbstractAsyncContextManager[Journal]:
    if isinstance(journal, Path):
        return open_sqlite_journal(journal, commit_interval=interval)
    if journal.is_in_redis:
        return _opened_in_redis(journal, interval)
    try:
        from greenroom.delivery.journal.postgres.journal import open_postgres_journal
    except ImportError as error:
        raise without_psycopg(journal) from error
    return open_postgres_journal(journal.url, commit_interval=interval)


def _opened_in_redis(journal: DatabaseUrl, interval: float) -> AbstractAsyncContextManager[Journal]:
    try:
        from greenroom.delivery.journal.redis.journal import open_redis_journal
    except ImportError as error:
        raise without_coredis(journal) from error
    return open_redis_journal(journal.url, commit_interval=interval)


def without_coredis(journal: DatabaseUrl) -> BadSettings:
    """The error where the package is missing that speaks to Redis."""
    return BadSettings(
        [f"the package coredis is missing, for {journal}"],
        advice='run `pip install "greenroom[redis]"`',
    )


def without_psycopg(journal: DatabaseUrl) -> BadSettings:
    """The error where the package is missing that speaks to Postgres."""
    return BadSettings(
        [f"the package psycopg is missing, for {journal}"],
        advice='run `pip install "greenroom[postgres]"`',
    )
