"""Tells other nodes which users have more, and hears it from them: by notifications of Postgres.

A notification takes a lock of the whole database at its commit, so it is no part of an append: what
was appended while one was sent goes into the next one. One that is lost costs time only.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any, Final, Never

import orjson
import psycopg
import trio

from greenroom.actors.reactors.callbacks import default_callbacks
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.nodes.notice import WHATS, Notice, What
from greenroom.delivery.journal.postgres.connections.pooling import JournalConnection
from greenroom.delivery.journal.postgres.opening import connect
from greenroom.delivery.journal.sql.nodes.shared_nodes import AGAIN_SECONDS, Heard

MOST_BYTES: Final = 7_000
"""Bytes of user ids in a notification: Postgres takes less than 8,000 of payload
(https://www.postgresql.org/docs/current/sql-notify.html)."""

MOST_NOTICES: Final = 10_000
"""Notices that may wait to be sent."""

# A notification is a commit like any other, and would wait for the disk, holding that lock.
_NOTIFY: Final = """
    SELECT set_config('synchronous_commit', 'off', true), pg_notify('greenroom', %s)
"""

logger = logging.getLogger("greenroom.delivery")


class WakeUps:
    """Two connections, used in trio: a send is waited for in a thread, and what comes is read when
    it is there. `hears`: whether a notification of this node's own has come back to it."""

    def __init__(self, url: str, me: Callable[[], int | None]) -> None:
        self._url = url
        self._me = me
        self.hears = False
        self._users: set[UserId] = set()
        self._notices: deque[Notice] = deque(maxlen=MOST_NOTICES)
        self._lock = threading.Lock()
        self._callbacks = default_callbacks()
        self._rung = trio.Event()

    def tell(self, users: Iterable[UserId], notices: Iterable[Notice] = ()) -> None:
        """Send these users and notices to the other nodes; from any thread. The oldest notices are
        dropped if too many wait."""
        with self._lock:
            is_first = not (self._users or self._notices)
            self._users.update(users)
            self._notices.extend(notices)
        if is_first:
            with suppress(trio.RunFinishedError):
                self._callbacks.post(self._ring)

    async def speak(self) -> Never:
        """Send what `tell` was called with."""
        await self._connect_and(self._speak)

    async def listen(self, heard: Heard) -> Never:
        """Call `heard` with the users that other nodes tell of, and with their notices."""
        await self._connect_and(partial(self._listen, heard))

    async def _connect_and(self, use: Callable[[JournalConnection], Awaitable[None]]) -> Never:
        """Use a connection, and another one after its end. What was not heard is found by
        looking now and then."""
        while True:
            try:
                connection = await trio.to_thread.run_sync(connect, self._url)
                with closing(connection):
                    await use(connection)
            except (psycopg.Error, OSError) as error:
                self.hears = False
                logger.info("no wake-ups to or from other nodes for now: %s", error)
                await trio.sleep(AGAIN_SECONDS)

    async def _speak(self, connection: JournalConnection) -> None:
        while True:
            await self._rung.wait()
            self._rung = trio.Event()
            for payload in self._take():
                await trio.to_thread.run_sync(connection.execute, _NOTIFY, (payload,))

    async def _listen(self, heard: Heard, connection: JournalConnection) -> None:
        if connection.is_pooled:  # in none of its sessions could it listen for long
            await trio.sleep_forever()
        await trio.to_thread.run_sync(connection.execute, "LISTEN greenroom")
        self._ring()  # other nodes learn that this one is there; and it, whether it hears
        while True:
            await trio.lowlevel.wait_readable(connection.fileno())
            for payload in _arrived(connection):
                self._hear(payload, heard)

    def _hear(self, payload: bytes, heard: Heard) -> None:
        sender, users, notices, *_ = orjson.loads(payload)
        if sender == self._me():
            self.hears = True
        else:
            known = [  # a newer version may say more
                Notice(UserId.trusted(user), What(what), of)
                for user, what, of, *_ in notices
                if what in WHATS
            ]
            heard([UserId.trusted(user) for user in users], known)

    def _ring(self) -> None:
        self._rung.set()

    def _take(self) -> Iterator[str]:
        """The payloads to send, at least one."""
        with self._lock:
            users, self._users = self._users, set()
            notices = list(self._notices)
            self._notices.clear()
        for notice in notices:
            yield self._payload((), [(notice.user, notice.what, notice.of)])
        some: list[UserId] = []
        size = 0
        for user in users:
            size += len(user.encode()) + 3
            if size > MOST_BYTES:
                yield self._payload(some)
                some, size = [], len(user.encode()) + 3
            some.append(user)
        yield self._payload(some)

    def _payload(self, users: Sequence[UserId], notices: Sequence[object] = ()) -> str:
        return orjson.dumps([self._me(), users, notices]).decode()


def _arrived(connection: psycopg.Connection[Any]) -> Iterator[bytes]:
    connection.pgconn.consume_input()
    while (notification := connection.pgconn.notifies()) is not None:
        yield notification.extra
