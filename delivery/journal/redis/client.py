"""Speaks to Redis from the journal's thread, which blocks: coredis has a trio run of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any, Final, Never, TypeVar, cast

import outcome
import trio
from coredis import Redis
from coredis.connection import BaseConnection
from coredis.exceptions import ConnectionError as Disconnected
from coredis.exceptions import ResponseError
from coredis.retry import NoRetryPolicy

from greenroom.delivery.journal.redis.connections.address import RedisAddress
from greenroom.delivery.journal.redis.connections.connecting import ANSWER_SECONDS, connected

R = TypeVar("R")

logger = logging.getLogger("greenroom.delivery")

AGAIN_SECONDS: Final = 1.0
"""Seconds until a connection that has broken is made again."""

LOST: Final = b"lost"

REPLICA_SECONDS: Final = 2.0
"""Seconds that replicas have to receive a commit; with `appendfsync everysec` they take one."""

_ALONE: Final[Any] = {"disconnect_on_cancellation": True}


class NotReplicated(Disconnected):
    """Redis has kept a commit, and too few replicas have it."""


class RedisClient:
    """A client that any thread but its own may call. Nothing is sent again by itself."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self.waits_for_disks = False
        """Whether replicas must have it on their disks, and the server too (`WAITAOF`)."""
        self._token: trio.lowlevel.TrioToken | None = None
        self._end: trio.Event | None = None
        self._client: Redis[bytes] | None = None
        self._nursery: trio.Nursery | None = None
        self._began: SimpleQueue[outcome.Outcome[None]] = SimpleQueue()
        self._thread = threading.Thread(
            target=trio.run, args=(self._main,), name="greenroom redis", daemon=True
        )
        self._thread.start()
        self._began.get().unwrap()

    def call(self, ask: Callable[[Redis[bytes]], Awaitable[R]]) -> R:
        """Raises coredis's errors."""
        if self._token is None:
            raise AssertionError("the thread said that it had begun")
        return trio.from_thread.run(self._ask, ask, trio_token=self._token)

    def run(self, script: str, keys: list[str], arguments: list[Any]) -> list[str]:
        """Have a script carried out that answers with texts; Redis is sent its text once."""
        return [each.decode() for each in self.run_raw(script, keys, arguments)]

    def run_raw(self, script: str, keys: list[str], arguments: list[Any]) -> list[bytes]:
        """As `run`, with the answers as they are."""

        async def carry_out(client: Redis[bytes]) -> Any:
            return await client.register_script(script)(keys=keys, args=arguments)

        return list(self.call(carry_out))

    def run_replicated(self, script: str, keys: list[str], arguments: list[Any]) -> list[str]:
        """As `run`, and then wait for the replicas that the address asks for.

        Raises `NotReplicated` when the script was carried out and they have not got it.
        """
        if not self._address.replicas:
            return self.run(script, keys, arguments)

        async def carry_out(client: Redis[bytes]) -> Any:
            async with client.connection_pool.acquire() as connection:  # WAIT is for its writes
                words = (b"EVAL", script, len(keys), *keys, *arguments)
                answer = await connection.create_request(*words, decode=False, **_ALONE)
                await self._wait_for_replicas(connection)
                return answer

        return [each.decode() for each in self.call(carry_out)]

    async def _wait_for_replicas(self, connection: BaseConnection) -> None:
        wanted = self._address.replicas
        wait = (b"WAITAOF", 1, wanted) if self.waits_for_disks else (b"WAIT", wanted)
        words = (*wait, round(REPLICA_SECONDS * 1000))
        try:
            found: Any = await connection.create_request(*words, decode=False, **_ALONE)
        except ResponseError as error:
            raise NotReplicated(str(error)) from error
        here, there = found if self.waits_for_disks else (1, found)
        if not here or there < wanted:
            on_disk = " on their disks" if self.waits_for_disks else ""
            raise NotReplicated(f"{there} of {wanted} replicas have the last commit{on_disk}")

    def listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        """Call `heard` in the client's thread with what arrives on a channel, until the end; and
        with `LOST` where the connection broke, and something may have been missed."""
        if self._token is not None:
            self._token.run_sync_soon(self._begin_to_listen, channel, heard)

    def close(self) -> None:
        if self._token is not None and self._end is not None:
            self._token.run_sync_soon(self._end.set)
            self._thread.join()

    async def _ask(self, ask: Callable[[Redis[bytes]], Awaitable[R]]) -> R:
        if self._client is None:
            raise AssertionError("calls come between the beginning and the end")
        try:
            with trio.fail_after(2 * ANSWER_SECONDS):
                return await ask(self._client)
        except (OSError, trio.TooSlowError) as error:  # TimeoutError is an OSError
            raise Disconnected(str(error) or "it does not answer") from error

    def _begin_to_listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._listen, channel, heard)

    async def _listen(self, channel: str, heard: Callable[[bytes], None]) -> Never:
        """What was not heard is found by looking now and then."""
        while True:
            try:
                await self._hear(channel, heard)
            except* Exception as error:  # whoever calls would be without a client
                logger.debug("the connection that hears other servers broke", exc_info=error)
                heard(LOST)
            await trio.sleep(AGAIN_SECONDS)

    async def _hear(self, channel: str, heard: Callable[[bytes], None]) -> None:
        if self._client is None:
            raise AssertionError("it listens between the beginning and the end")
        pubsub = self._client.pubsub(
            channels=[channel], ignore_subscribe_messages=True, retry_policy=NoRetryPolicy()
        )
        async with pubsub:
            async for message in pubsub:
                heard(cast(bytes, message["data"]))

    async def _main(self) -> None:
        try:
            self._token = trio.lowlevel.current_trio_token()
            self._end = trio.Event()
            async with (
                connected(self._address) as self._client,
                trio.open_nursery() as self._nursery,
            ):
                self._began.put(outcome.Value(None))
                await self._end.wait()
                self._nursery.cancel_scope.cancel()
        except BaseException as error:  # noqa: BLE001  # whoever begins it raises it
            self._began.put(outcome.Error(error))
