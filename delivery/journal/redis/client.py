"""Speaks to Redis from threads that block: on connections that do, too; in a cluster, and to find
servers and rows, through coredis, which has a trio run of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, Never, TypeVar, cast

import attrs
import outcome
import trio
from coredis import Redis
from coredis.connection import TCPLocation
from coredis.exceptions import ConnectionError as Disconnected
from coredis.exceptions import ResponseError

from greenroom.actors.exit import must_go_on
from greenroom.delivery.journal.redis.connections.address import Endpoint, RedisAddress
from greenroom.delivery.journal.redis.connections.blocking import BlockingConnection, WaitFailed
from greenroom.delivery.journal.redis.connections.connecting import ANSWER_SECONDS, connected
from greenroom.delivery.journal.redis.connections.hearing import hear_in_shard
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
        self._scripts, self._questions, self._channel = (
            BlockingConnection(address, self._locate) for _ in range(3)
        )
        self._closed = threading.Event()
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
        return _texts(self.run_raw(script, keys, arguments))

    def run_raw(self, script: str, keys: list[str], arguments: list[Any]) -> list[bytes]:
        """As `run`, with the answers as they are."""
        if self.slot is None:
            return list(self._scripts.run(script, keys, arguments))

        async def carry_out(client: Redis[bytes]) -> Any:
            return await client.register_script(script)(keys=keys, args=arguments)

        return list(self.call(carry_out))

    def run_replicated(self, script: str, keys: list[str], arguments: list[Any]) -> list[str]:
        """As `run`, and then wait for the replicas that the address asks for.

        Raises `NotReplicated` when the script was carried out and they have not got it.
        """
        if not self._address.replicas:
            return self.run(script, keys, arguments)
        if self.slot is None:
            try:
                answer, found = self._scripts.run(script, keys, arguments, *self._wait())
            except WaitFailed as error:
                raise NotReplicated(str(error)) from error
            self._check_replicas(found)
            return _texts(answer)

        async def carry_out(client: Redis[bytes]) -> Any:
            words = (b"EVAL", script, len(keys), *keys, *arguments)
            async with client.connection_pool.acquire() as connection:  # see `_listen_in_shard`
                asked = connection.create_request(*words, decode=False, **_ALONE)
                waits = connection.create_request(*self._wait(), decode=False, **_ALONE)
            answer = await asked
            try:
                self._check_replicas(await waits)
            except ResponseError as error:
                raise NotReplicated(str(error)) from error
            return answer

        return _texts(self._call(carry_out, waits=True))

    def _wait(self) -> tuple[bytes | int, ...]:
        """What has the server wait for the replicas to have what its connection wrote."""
        wanted = self._address.replicas
        wait = (b"WAITAOF", 1, wanted) if self.waits_for_disks else (b"WAIT", wanted)
        return (*wait, round(REPLICA_SECONDS * 1000))

    def _check_replicas(self, found: Any) -> None:
        wanted = self._address.replicas
        here, there = found if self.waits_for_disks else (1, found)
        if not here or there < wanted:
            on_disk = " on their disks" if self.waits_for_disks else ""
            raise NotReplicated(f"{there} of {wanted} replicas have the last commit{on_disk}")

    def look_up(self, key: str, *fields: str) -> Sequence[bytes | None]:
        """Fields of a hash, on any thread; scripts do not hold it up."""
        if self.slot is None:
            return cast("list[bytes | None]", self._questions.ask(b"HMGET", key, *fields))
        return self.call(_LookUp(key, fields))

    def listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        """Call `heard` in another thread with what arrives on a channel, until the end; and with
        `LOST` where the connection broke, and something may have been missed. Something must arrive
        within `ANSWER_SECONDS`."""
        if self.slot is None:
            listen = partial(self._listen, channel, heard)
            threading.Thread(target=listen, name="greenroom redis channel", daemon=True).start()
        elif self._token is not None:
            self._token.run_sync_soon(self._begin_to_listen, channel, heard)

    def close(self) -> None:
        self._closed.set()
        self._channel.close()
        if self._token is not None and self._end is not None:
            self._token.run_sync_soon(self._end.set)
            self._thread.join()
        self._scripts.close()
        self._questions.close()

    def _locate(self) -> Endpoint:
        """Where the server is now: sentinels may name another one after each fail-over."""
        if self._address.service is None:
            return self._address.endpoints[0]
        return self.call(_location)

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

    def _listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        """What was not heard is found by looking now and then."""
        while not self._closed.is_set():
            try:
                for message in self._channel.messages(channel):
                    heard(message)
            except BaseException as error:  # without the thread nothing more is heard
                if must_go_on(error):
                    raise
                logger.debug("the connection that hears other servers broke", exc_info=error)
                heard(LOST)
            self._closed.wait(AGAIN_SECONDS)

    def _begin_to_listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._listen_in_shard, channel, heard)

    async def _listen_in_shard(self, channel: str, heard: Callable[[bytes], None]) -> Never:
        """A pool of coredis 6.9 has one connection less for each that broke while it was taken out
        of it, and none in the end: so this one has a pool of its own."""
        while True:
            try:
                async with connected(self._address) as client:
                    await hear_in_shard(client, channel, heard)
            except* Exception as error:  # whoever calls would be without a client
                logger.debug("the connection that hears other servers broke", exc_info=error)
                heard(LOST)
            await trio.sleep(AGAIN_SECONDS)

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


@attrs.frozen
class _LookUp:
    key: str
    fields: Sequence[str]

    async def __call__(self, client: Redis[bytes]) -> tuple[bytes | None, ...]:
        return await client.hmget(self.key, self.fields)


async def _location(client: Redis[bytes]) -> Endpoint:
    async with client.connection_pool.acquire() as connection:
        location = cast(TCPLocation, connection.location)
        return Endpoint(location.host, location.port)


def _texts(answers: Sequence[bytes]) -> list[str]:
    return [each.decode() for each in answers]
