"""Speaks to Redis from the journal's thread, which blocks: coredis has a trio run of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any, Final, Never, TypeVar

import outcome
import trio
from coredis import Redis
from coredis.exceptions import ConnectionError as Disconnected
from coredis.exceptions import ResponseError

from greenroom.delivery.journal.redis.connections.address import RedisAddress
from greenroom.delivery.journal.redis.connections.connecting import ANSWER_SECONDS, connected
from greenroom.delivery.journal.redis.connections.hearing import hear, hear_in_shard
from greenroom.delivery.journal.redis.connections.slots import ask_where_it_is, slot_of

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
        self._to_wait: Redis[bytes] | None = None
        self._nursery: trio.Nursery | None = None
        self._began: SimpleQueue[outcome.Outcome[None]] = SimpleQueue()
        self._thread = threading.Thread(
            target=trio.run, args=(self._main,), name="greenroom redis", daemon=True
        )
        self._thread.start()
        self._began.get().unwrap()

    def call(self, ask: Callable[[Redis[bytes]], Awaitable[R]]) -> R:
        """Raises coredis's errors."""
        return self._call(ask, waits=False)

    @property
    def slot(self) -> int | None:
        """The journal's in a cluster; None without one."""
        return None if self._address.journal is None else slot_of(self._address.journal)

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
            words = (b"EVAL", script, len(keys), *keys, *arguments)
            async with client.connection_pool.acquire() as connection:  # see `_hear`
                asked = connection.create_request(*words, decode=False, **_ALONE)
                waits = connection.create_request(*self._wait(), decode=False, **_ALONE)
            answer = await asked
            await self._check_replicas(waits)
            return answer

        return [each.decode() for each in self._call(carry_out, waits=True)]

    def _wait(self) -> tuple[bytes | int, ...]:
        """What has the server wait for the replicas to have what its connection wrote."""
        wanted = self._address.replicas
        wait = (b"WAITAOF", 1, wanted) if self.waits_for_disks else (b"WAIT", wanted)
        return (*wait, round(REPLICA_SECONDS * 1000))

    async def _check_replicas(self, waits: Awaitable[Any]) -> None:
        wanted = self._address.replicas
        try:
            found = await waits
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

    def _call(self, ask: Callable[[Redis[bytes]], Awaitable[R]], *, waits: bool) -> R:
        """What `waits` for replicas holds up no other answer."""
        if self._token is None:
            raise AssertionError("the thread said that it had begun")
        return trio.from_thread.run(self._ask, ask, waits, trio_token=self._token)

    async def _ask(self, ask: Callable[[Redis[bytes]], Awaitable[R]], waits: bool) -> R:
        client = self._to_wait if waits else self._client
        if client is None:
            raise AssertionError("calls come between the beginning and the end")
        try:
            with trio.fail_after(2 * ANSWER_SECONDS):
                if self._address.journal is None:
                    return await ask(client)
                return await ask_where_it_is(client, ask)
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
        """A pool of coredis 6.9 has one connection less for each that broke while it was taken out
        of it, and none in the end: so this one has a pool of its own."""
        hears = hear if self._address.journal is None else hear_in_shard
        async with connected(self._address) as client:
            await hears(client, channel, heard)

    async def _main(self) -> None:
        try:
            self._token = trio.lowlevel.current_trio_token()
            self._end = trio.Event()
            async with (
                connected(self._address) as self._client,
                connected(self._address) as self._to_wait,
                trio.open_nursery() as self._nursery,
            ):
                self._began.put(outcome.Value(None))
                await self._end.wait()
                self._nursery.cancel_scope.cancel()
        except BaseException as error:  # noqa: BLE001  # whoever begins it raises it
            self._began.put(outcome.Error(error))
