"""The journal in Postgres."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from socket import gethostname
from typing import Final, TypeVar

import attrs
import psycopg
from psycopg.conninfo import conninfo_to_dict

from greenroom.delivery.errors import (
    JournalBusy,
    JournalError,
    JournalFailed,
    JournalLost,
    JournalUnreachable,
    LeaseLost,
)
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.commits.pace import Pace
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.journal.commits.threaded_journal import ThreadedJournal, random_epoch
from greenroom.delivery.journal.nodes import Nodes
from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.postgres.connections.pooling import JournalConnection
from greenroom.delivery.journal.postgres.errors import in_our_words
from greenroom.delivery.journal.postgres.lease import Lease
from greenroom.delivery.journal.postgres.opening import (
    check_whole,
    connect,
    connect_to_write,
    epoch_of,
    named,
    opening,
    prepare,
)
from greenroom.delivery.journal.postgres.queue.claims import PostgresClaims
from greenroom.delivery.journal.postgres.reader import PostgresReader
from greenroom.delivery.journal.postgres.store import PostgresStore
from greenroom.delivery.journal.postgres.sweeper import PostgresSweeper
from greenroom.delivery.journal.postgres.wake_ups import WakeUps
from greenroom.delivery.journal.readers import Answer
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.sql.nodes.shared_nodes import LEASE_SECONDS, SharedNodes

R = TypeVar("R")

READERS: Final = 2
"""Connections that answer questions: an asker's long question leaves one to the others."""

ANSWER_SECONDS: Final = 5.0
"""Seconds for which an append whose answer was lost waits for the server to come back. After that
its caller gets an error, and learns from the journal whether it was kept."""

AGAIN_SECONDS: Final = 0.1
"""Seconds between two attempts of such an append to connect."""

USE_SECONDS: Final = 10.0
"""Seconds between two looks at the journal's size, which show, too, that the server is there."""

_SIZE: Final = """
    SELECT sum(pg_total_relation_size(oid)) FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
"""


@attrs.define
class Session:
    """One connection to the server at `url`, made again when it has broken."""

    url: str
    epoch: str
    database: PostgresDatabase
    connect: Callable[[str], JournalConnection] = connect

    def check(self) -> None:
        """Raises `psycopg.Error`, and `JournalLost` if another journal is there."""
        if not self.database.connection.closed:
            return
        connection = self.connect(self.url)
        try:
            self._check_epoch(epoch_of(connection))
        except BaseException:
            connection.close()
            raise
        connection.expect(self.epoch)
        self.database.connection = connection

    def _check_epoch(self, found: str) -> None:
        if found != self.epoch:
            there = f"another journal now: epoch {found}" if found else "no journal now"
            raise JournalLost(
                f"{named(self.url)} has {there}, not epoch {self.epoch}",
                advice="restart the service: clients begin again with the journal that is there",
            )

    def close(self) -> None:
        self.database.connection.close()


@asynccontextmanager
async def open_postgres_journal(
    url: str,
    *,
    new_epoch: Callable[[], str] = random_epoch,
    capacity: int = 1024,
    commit_interval: float = 0.0,
    lease_seconds: float = LEASE_SECONDS,
) -> AsyncIterator[PostgresJournal]:
    """Connect to the server at `url` (`postgresql://user@host/database`), creating the tables if
    they do not exist. `capacity`, `commit_interval`: see `open_sqlite_journal`. After
    `lease_seconds` without a sign of this node another one has its open runs.

    Raises `JournalUnreachable`, `JournalBusy`, `JournalFailed` and `JournalTooNew`.
    """
    _check_url(url)
    thread = JournalThread(capacity=capacity)
    pace = Pace(commit_interval, time.monotonic)
    lease = Lease(f"{gethostname()}:{os.getpid()}", version("greenroom"), lease_seconds)
    sessions = await thread.begin(partial(_open, url, new_epoch, lease))
    journal = PostgresJournal(sessions, lease, thread, pace)
    thread.look = journal._look
    try:
        await thread.call(journal._look)
        yield journal
    finally:
        await journal.aclose()


def _check_url(url: str) -> None:
    """libpq's error is not shown: it repeats what it cannot read, the password among it."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        raise JournalFailed(
            "libpq cannot read the journal's URL",
            advice="write it as postgresql://user@host:5432/database",
        ) from None


def _open(url: str, new_epoch: Callable[[], str], lease: Lease) -> list[Session]:
    sessions: list[Session] = []
    try:
        with in_our_words(named(url)):
            first = PostgresDatabase(connect_to_write(url))
            sessions.append(Session(url, "", first, connect_to_write))
            sessions[0].epoch = prepare(first.connection, new_epoch())
            with opening(first.connection):
                check_whole(first.connection)
                lease.take(first.connection)
            lease.inherited = lease.take_over(first.connection, always=True)
            for _ in range(READERS):
                sessions.append(Session(url, sessions[0].epoch, PostgresDatabase(connect(url))))
            for session in sessions:
                session.database.connection.expect(session.epoch)
    except BaseException:
        for session in sessions:
            session.close()
        raise
    return sessions


class PostgresJournal(ThreadedJournal):
    """A `Journal` in Postgres; created by `open_postgres_journal`."""

    def __init__(
        self, sessions: list[Session], lease: Lease, thread: JournalThread, pace: Pace
    ) -> None:
        self._session, *self._to_read = sessions
        self._where = named(self._session.url)
        self._lease = lease
        wake_ups = WakeUps(self._session.url, self._me)
        claims = PostgresClaims(self._session.database, self._me, self._write)
        self._nodes = SharedNodes(lease, wake_ups, claims, self._begin_again, self._silent)
        store = PostgresStore(self._session.database, self._me)
        answers = [self._reading(session) for session in self._to_read]
        sweeper = PostgresSweeper(self._session.database, store)
        super().__init__(self._session.database, store, sweeper, answers, thread, pace)
        self._used, self._use_at = 0, 0.0

    @property
    def epoch(self) -> str:
        return self._session.epoch

    def reader(self) -> PostgresReader:
        """Reads beside this journal, in one thread at a time. Raises the errors of
        `PostgresReader`."""
        return PostgresReader(self._session.url)

    @property
    def nodes(self) -> Nodes:
        return self._nodes

    def _me(self) -> int | None:
        return self._lease.number

    def _silent(self) -> None:
        if not self.trouble:
            text = f"{self._where} has not answered for as long as the lease of this server"
            advice = "start it, or mend the network; the journal then continues by itself"
            self._health.note(JournalUnreachable(text, advice=advice))

    async def _begin_again(self) -> None:
        self._committer.hand_over()
        work = partial(self._on_thread, self._rejoin, self._check_session)
        await self._thread.call(work)

    def _rejoin(self) -> None:
        self._committer.commit_now()  # which is refused
        self._nodes.rejoin(self._session.database.connection)

    def _check(self) -> None:
        self._nodes.check()
        self._check_session()

    def _check_session(self) -> None:
        if self._session.database.connection.closed:
            self._store.forget_ends()
            self._session.check()
            self._nodes.reconnected()
        self._session.check()

    def _keep(self, entries: Sequence[Entry]) -> None:
        self._on_thread(partial(self._append, entries), self._check)
        self._nodes.appended(entries)

    def _append(self, entries: Sequence[Entry]) -> None:
        try:
            self._store.append(entries)
        except psycopg.OperationalError as lost:
            if not self._session.database.connection.closed:
                raise
            self._append_again(entries, lost)

    def _append_again(self, entries: Sequence[Entry], lost: psycopg.OperationalError) -> None:
        """The answer was lost: the server has kept all of the entries or none, or it is at it. The
        fence waits for that, and then refuses what was kept."""
        self._check_until(time.monotonic() + ANSWER_SECONDS, lost)
        first = next((entry for entry in entries if isinstance(entry, Record)), None)
        if self._is_kept(first):
            return
        try:
            self._store.append(entries)
        except (psycopg.Error, JournalError):
            if not self._is_kept(first):
                raise

    def _is_kept(self, record: Record | None) -> bool:
        if record is None or self._session.database.connection.closed:
            return False
        return self._store.event_at(record.user, record.offset) == record.id

    def _check_until(self, deadline: float, lost: psycopg.OperationalError) -> None:
        while True:
            try:
                return self._check()
            except (psycopg.OperationalError, JournalBusy):
                if time.monotonic() > deadline:
                    raise lost from None
            time.sleep(AGAIN_SECONDS)

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            with in_our_words(self._where):
                yield
        except LeaseLost:
            self._nodes.lose()
            raise

    def _bytes(self) -> int:
        return self._used

    def _look_at_use(self) -> None:
        self._used = int(str(self._session.database.execute(_SIZE).get or 0))
        self._free_bytes, self._oldest_at = self._sweeper.use()

    def _reading(self, session: Session) -> Answer:
        return partial(self._answer_from, session, PostgresStore(session.database, self._me))

    def _answer_from(self, session: Session, store: PostgresStore, question: Question[R]) -> R:
        """Runs on a reader's thread."""
        return self._on_thread(partial(self._ask_again, session, store, question), session.check)

    def _ask_again(self, session: Session, store: PostgresStore, question: Question[R]) -> R:
        """A connection that broke while nothing was asked is found to have by the next question."""
        try:
            return store.answer(question)
        except psycopg.OperationalError:
            if not session.database.connection.closed:
                raise
        session.check()
        return store.answer(question)

    def _look(self) -> None:
        """Check periodically, on the thread, that the server answers."""
        try:
            with self._in_our_words():
                self._check_session()
                self._nodes.look(self._session.database.connection)
                if time.monotonic() >= self._use_at or self._health.may_pass:
                    self._use_at = time.monotonic() + USE_SECONDS
                    self._look_at_use()
        except JournalError as error:
            self._health.note(error)
        else:
            self._health.passed()

    def _close(self) -> None:
        self._committer.commit_now()
        self._readers.close()
        for session in self._to_read:
            session.close()
        with suppress(psycopg.Error), self._session.database.connection as connection:
            self._nodes.close(connection)
