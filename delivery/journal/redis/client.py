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
from coredis.retry import NoRetryPolicy

R = TypeVar("R")

logger = logging.getLogger("greenroom.delivery")

AGAIN_SECONDS: Final = 1.0
"""Seconds until a connection that has broken is made again."""

LOST: Final = b"lost"

ANSWER_SECONDS: Final = 5.0
"""Seconds to wait for a connection, and for an answer."""


class RedisClient:
    """A client that any thread but its own may call. Nothing is sent again by itself."""

    def __init__(self, url: str) -> None:
        self._url = url
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
        with trio.fail_after(2 * ANSWER_SECONDS):
            return await ask(self._client)

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
            client = Redis.from_url(
                self._url,
                retry_policy=NoRetryPolicy(),
                connect_timeout=ANSWER_SECONDS,
                stream_timeout=ANSWER_SECONDS,
            )
            async with client as self._client, trio.open_nursery() as self._nursery:
                self._began.put(outcome.Value(None))
                await self._end.wait()
                self._nursery.cancel_scope.cancel()
        except BaseException as error:  # noqa: BLE001  # whoever begins it raises it
            self._began.put(outcome.Error(error))
