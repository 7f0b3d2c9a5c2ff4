"""Reads all rows of a journal in Redis, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
from coredis import Redis

from greenroom.delivery.journal.redis.client import RedisClient
from greenroom.delivery.journal.redis.rows import ROWS, Row, decoded, table_of

ROWS_AT_ONCE: Final = 100


def all_rows(client: RedisClient) -> Iterator[tuple[str, list[Row]]]:
    """Some rows of a table at a time. Those that change meanwhile may be there as they were, as
    they are, or not at all: what was committed since then tells. Raises coredis's errors."""
    places: set[bytes] = set()
    cursor = 0
    while True:
        cursor, found = client.call(_Scan(cursor))
        places.update(found)
        if not cursor:
            break
    for place in sorted(places):
        yield from _rows_at(client, place.decode())


def _rows_at(client: RedisClient, place: str) -> Iterator[tuple[str, list[Row]]]:
    cursor = 0
    while True:
        cursor, found = client.call(_ScanHash(place, cursor))
        yield table_of(place), [decoded(row) for row in found.values()]
        if not cursor:
            return


@attrs.frozen
class _Scan:
    cursor: int

    async def __call__(self, client: Redis[bytes]) -> tuple[int, tuple[bytes, ...]]:
        return await client.scan(self.cursor, match=f"{ROWS}*", count=1000)


@attrs.frozen
class _ScanHash:
    place: str
    cursor: int

    async def __call__(self, client: Redis[bytes]) -> tuple[int, dict[bytes, bytes]]:
        return await client.hscan(self.place, self.cursor, count=ROWS_AT_ONCE)
