"""Connects to Redis: to one server, to the one that sentinels name, or to the one that has the
journal's slot in a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from coredis import Redis, Sentinel
from coredis.connection import TCPLocation
from coredis.pool import ConnectionPool
from coredis.retry import NoRetryPolicy

from greenroom.delivery.journal.redis.connections.address import RedisAddress
from greenroom.delivery.journal.redis.connections.slots import (
    SlotConnection,
    SlotLocation,
    slot_of,
)

ANSWER_SECONDS: Final = 5.0
"""Seconds to wait for a connection, and for an answer."""


@asynccontextmanager
async def connected(address: RedisAddress) -> AsyncIterator[Redis[bytes]]:
    """A client of the server, or of the one that is found whenever it connects."""
    how: dict[str, Any] = {
        "db": address.database,
        "username": address.user,
        "password": address.password,
        "ssl_context": address.tls,
        "connect_timeout": ANSWER_SECONDS,
        "stream_timeout": ANSWER_SECONDS,
    }
    if address.journal is not None:
        location = SlotLocation(address.endpoints, slot_of(address.journal), how)
        pool = ConnectionPool(connection_class=SlotConnection, location=location, **how)
        async with Redis(connection_pool=pool, retry_policy=NoRetryPolicy()) as client:
            yield client
    elif address.service is None:
        (endpoint,) = address.endpoints
        async with Redis(
            endpoint.host, endpoint.port, retry_policy=NoRetryPolicy(), **how
        ) as client:
            yield client
    else:
        locations = [TCPLocation(each.host, each.port) for each in address.endpoints]
        among = {each: how[each] for each in ("ssl_context", "connect_timeout", "stream_timeout")}
        async with (
            Sentinel(locations, sentinel_kwargs=among, **how) as sentinels,
            sentinels.primary_for(address.service) as client,
        ):
            yield client
