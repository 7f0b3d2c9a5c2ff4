"""Reads all rows of a journal in Redis, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
from coredis import Redis
from coredis.exceptions import ConnectionError as Disconnected

from greenroom.delivery.journal.redis.client import RedisClient
from greenroom.delivery.journal.redis.connections.slots import check_rests
from greenroom.delivery.journal.redis.rows import Keys, Row, decoded

ROWS_AT_ONCE: Final = 100


def all_rows(client: RedisClient, keys: Keys) -> Iterator[tuple[str, list[Row]]]:
    """Some rows of a table at a time. Those that change meanwhile may be there as they were, as
    they are, or not at all: what was committed since then tells.

    Raises coredis's errors, also after the last row, if another server answers by then: a cursor
    means nothing to another one, and SCAN says nothing of rows that have moved."""
    server = client.call(_Server(client.slot))
    places: set[bytes] = set()
    cursor = 0
    while True:
        cursor, found = client.call(_Scan(cursor, f"{keys.rows}*"))
        places.update(found)
        if not cursor:
            break
    for place in sorted(places):
        yield from _rows_at(client, place.decode(), keys)
    if client.call(_Server(client.slot)) != server:
        raise Disconnected("another server answers than the one that was read")


def _rows_at(client: RedisClient, place: str, keys: Keys) -> Iterator[tuple[str, list[Row]]]:
    table, _ = keys.table_and_user(place)
    cursor = 0
    while True:
        cursor, found = client.call(_ScanHash(place, cursor))
        yield table, [decoded(row) for row in found.values()]
        if not cursor:
            return


@attrs.frozen
class _Scan:
    cursor: int
    match: str

    async def __call__(self, client: Redis[bytes]) -> tuple[int, tuple[bytes, ...]]:
        return await client.scan(self.cursor, match=self.match, count=1000)


@attrs.frozen
class _ScanHash:
    place: str
    cursor: int

    async def __call__(self, client: Redis[bytes]) -> tuple[int, dict[bytes, bytes]]:
        return await client.hscan(self.place, self.cursor, count=ROWS_AT_ONCE)


@attrs.frozen
class _Server:
    """Which process answers; in a cluster also what it says of its slots. Raises `SlotMoves` unless
    all of the slot is there."""

    slot: int | None

    async def __call__(self, client: Redis[bytes]) -> tuple[str, str]:
        async with client.connection_pool.acquire() as connection:
            info = connection.create_request(b"INFO", b"server", decode=False)
            if self.slot is not None:
                nodes = connection.create_request(b"CLUSTER", b"NODES", decode=False)
        [process] = [line for line in _text(await info).splitlines() if line.startswith("run_id:")]
        if self.slot is None:
            return process, ""
        return process, check_rests(self.slot, _text(await nodes))


def _text(answer: object) -> str:
    return answer.decode() if isinstance(answer, bytes) else str(answer)
