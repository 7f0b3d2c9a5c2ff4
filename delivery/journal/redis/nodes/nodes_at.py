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

_READ: Final = """
return {redis.call('TIME'), redis.call('HGETALL', KEYS[1]), redis.call('HVALS', KEYS[2])}
"""  # keys of two slots at once, so a server of a cluster that is named with redis:// refuses


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
        keys = [self.keys.nodes, self.keys.place_of("node", None)]
        (seconds, micros), known, rows = cast(
            "tuple[list[bytes], list[bytes], list[bytes]]", await client.eval(_READ, keys)
        )
        now = int(seconds) * 1000 + int(micros) // 1000
        leases = zip(known[::2], known[1::2], strict=True)
        expires = {int(number): int(what.split()[0]) for number, what in leases}
        found = cast("list[NodeRow]", [decoded(row) for row in rows])
        return listed(sorted(found), Beat(now, expires))
