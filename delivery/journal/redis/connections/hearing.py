"""Hears what is published on a channel of a cluster, over a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Final, cast

import trio
from coredis import Redis
from coredis.exceptions import ConnectionError as Disconnected

ANSWER_SECONDS: Final = 1.0
"""Seconds that a shard's server has to say that it was subscribed to."""

SILENT_SECONDS: Final = 10.0
"""Seconds without a message after which a shard's server is taken for dead: a node's own renewals
come every second."""


async def hear_in_shard(client: Redis[bytes], channel: str, heard: Callable[[bytes], None]) -> None:
    """Call `heard` with each message, until the connection breaks: only the servers that have the
    channel's slot have its messages. Ends where the slot moves to other servers. Raises coredis's
    errors."""
    async with client.connection_pool.acquire() as connection:
        connection.send_command(b"SSUBSCRIBE", channel)
        async with aclosing(connection.push_messages) as messages:
            with trio.fail_after(ANSWER_SECONDS):  # a refusal is no message
                await anext(messages)
            while True:
                with trio.fail_after(SILENT_SECONDS):
                    kind, *rest = cast("list[Any]", await anext(messages))
                if kind == b"sunsubscribe":
                    raise Disconnected("the slot has moved")
                if kind == b"smessage":
                    heard(rest[-1])
