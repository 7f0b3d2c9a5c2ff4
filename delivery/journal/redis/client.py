"""Speaks to Redis from the journal's thread, which blocks: coredis has a trio run of its own."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import outcome
import trio
from coredis import Redis
from coredis.retry import NoRetryPolicy

R = TypeVar("R")

ANSWER_SECONDS: Final = 5.0
"""Seconds to wait for a connection, and for an answer."""


class RedisClient:
    """A client that any thread but its own may call. Nothing is sent again by itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._token: trio.lowlevel.TrioToken | None = None
        self._end: trio.Event | None = None
        self._client: Redis[bytes] | None = None
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

    def run(self, script: str, keys: list[str], arguments: list[Any]) -> list[Any]:
        """Have a script carried out; Redis is sent its text once."""

        async def carry_out(client: Redis[bytes]) -> Any:
            return await client.register_script(script)(keys=keys, args=arguments)

        return [each.decode() if isinstance(each, bytes) else each for each in self.call(carry_out)]

    def close(self) -> None:
        if self._token is not None and self._end is not None:
            self._token.run_sync_soon(self._end.set)
            self._thread.join()

    async def _ask(self, ask: Callable[[Redis[bytes]], Awaitable[R]]) -> R:
        if self._client is None:
            raise AssertionError("calls come between the beginning and the end")
        with trio.fail_after(2 * ANSWER_SECONDS):
            return await ask(self._client)

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
            async with client as self._client:
                self._began.put(outcome.Value(None))
                await self._end.wait()
        except BaseException as error:  # noqa: BLE001  # whoever begins it raises it
            self._began.put(outcome.Error(error))
