"""Whether a Redis server may have a journal, and what it promises."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from coredis import Redis, exceptions

from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.journal.redis.client import RedisClient

logger = logging.getLogger("greenroom.delivery")

OLDEST: Final = 7


def check_server(client: RedisClient, where: str) -> None:
    """Raises `JournalFailed`, and coredis's errors. Warns of a server that may lose what it has."""
    info = client.call(_info)
    version = str(info.get("redis_version", "0"))
    if int(version.split(".")[0]) < OLDEST:
        raise JournalFailed(
            f"{where} is version {version}, but the journal needs {OLDEST}",
            advice="use a newer server",
        )
    client.waits_for_disks = can_wait_for_disks(info)
    _say_what_accepted_means(client, where, info)
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        raise JournalFailed(
            f"{where} may drop events: its maxmemory-policy is {policy}",
            advice="set maxmemory-policy noeviction",
        )


def seconds_up(client: RedisClient) -> float:
    """Seconds since the server was started."""
    return float(str(client.call(_info).get("uptime_in_seconds", 0)))


def can_wait_for_disks(info: Mapping[str, object]) -> bool:
    """`WAITAOF` is in Redis 7.2 and in every Valkey, and needs an append-only file."""
    major, minor = str(info.get("redis_version", "0.0")).split(".")[:2]
    return (int(major), int(minor)) >= (7, 2) and bool(int(str(info.get("aof_enabled", 0))))


def _say_what_accepted_means(client: RedisClient, where: str, info: dict[str, object]) -> None:
    if not int(str(info.get("aof_enabled", 0))):
        logger.warning(
            "%s keeps no append-only file: events that were accepted are lost if it ends. Set "
            "appendonly yes and appendfsync always",
            where,
        )
    elif (found := client.call(_appendfsync)) != "always":
        logger.warning(
            "%s has appendfsync %s: if its machine ends, the last events that were accepted are"
            " lost. Set appendfsync always",
            *(where, found),
        )


async def _info(client: Redis[bytes]) -> dict[str, object]:
    found = await client.info()
    return {str(key): value for key, value in found.items()}


async def _appendfsync(client: Redis[bytes]) -> str:
    try:
        found = await client.config_get(["appendfsync"])
    except exceptions.ResponseError:  # a user without the right to ask
        return "unknown"
    value = next(iter(found.values()), "unknown")
    return value.decode() if isinstance(value, bytes) else value
