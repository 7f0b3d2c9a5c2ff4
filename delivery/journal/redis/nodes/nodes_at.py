"""The nodes of a journal in Redis, for a program that is none."""

from __future__ import annotations

from typing import Final, cast

import attrs
from coredis import Redis

from greenroom.delivery.journal.node import Node
from greenroom.delivery.journal.redis.client import RedisClient
from greenroom.delivery.journal.redis.connections.address import RedisAddress
from greenroom.delivery.journal.redis.errors import in_our_words
from greenroom.delivery.journal.redis.nodes.beat import Beat
from greenroom.delivery.journal.redis.nodes.node_reads import NodeRow, listed
from greenroom.delivery.journal.redis.rows import Keys, decoded

_TIME: Final = "return redis.call('TIME')"  # coredis's own answer has the wrong microseconds


def read_nodes_at(url: str) -> list[Node]:
    """The nodes of the journal at `url`, oldest first. Raises `JournalError`s."""
    address = RedisAddress.of(url)
    with in_our_words(address.name):
        client = RedisClient(address)
        try:
            return client.call(_ReadNodes(Keys.of(address.journal)))
        finally:
            client.close()


@attrs.frozen
class _ReadNodes:
    keys: Keys

    async def __call__(self, client: Redis[bytes]) -> list[Node]:
        seconds, micros = cast("list[bytes]", await client.eval(_TIME))
        now = int(seconds) * 1000 + int(micros) // 1000
        known = await client.hgetall(self.keys.nodes)
        rows = await client.hvals(self.keys.place_of("node", None))
        expires = {int(number): int(what.split()[0]) for number, what in known.items()}
        found = cast("list[NodeRow]", [decoded(row) for row in rows])
        return listed(sorted(found), Beat(now, expires))
