"""Finds the server that has the slot of a journal in a cluster: any server of the cluster knows."""

from __future__ import annotations

from binascii import crc_hqx
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import trio
from coredis import Redis
from coredis.connection import TCPConnection, TCPLocation
from coredis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from coredis.exceptions import ConnectionError as Disconnected
from coredis.retry import NoRetryPolicy

from greenroom.actors.text.safe import safe_str
from greenroom.delivery.journal.redis.connections.address import Endpoint

R = TypeVar("R")

SLOTS: Final = 16384
LOOK_SECONDS: Final = 2.0
"""Seconds that a server has to say where the slots are; then another one is asked."""

MOVES_SECONDS: Final = 1.0
"""For how long a command is sent again while its slot moves."""

AGAIN_SECONDS: Final = 0.05

_NOT_CARRIED_OUT: Final = (MovedError, AskError, TryAgainError, ClusterDownError, NoScriptError)


class SlotMoves(Disconnected):
    """No server takes commands for the slot now, and none has carried out what was asked."""


def slot_of(tag: str) -> int:
    """The slot of all keys with this hash tag."""
    return crc_hqx(tag.encode(), 0) % SLOTS


async def ask_where_it_is(client: Redis[bytes], ask: Callable[[Redis[bytes]], Awaitable[R]]) -> R:
    """Ask the server that has the slot, and find it again where one refuses because it has not.

    A command that was refused in this way was not carried out, so sending it again cannot carry it
    out twice. Keys that have moved before the slot itself (ASK) are waited for.
    """
    deadline = trio.current_time() + MOVES_SECONDS
    while True:
        try:
            return await ask(client)
        except _NOT_CARRIED_OUT as refusal:
            if isinstance(refusal, MovedError | ClusterDownError):
                client.connection_pool.disconnect()
            if trio.current_time() >= deadline:
                raise SlotMoves(f"its slot has no server now: {_named(refusal)}") from refusal
        await trio.sleep(AGAIN_SECONDS)


def check_rests(slot: int, nodes: str) -> str:
    """What a server says of itself in CLUSTER NODES, but for its clocks. Raises `SlotMoves` unless
    it has the slot, and all of it."""
    servers = [line.split() for line in nodes.splitlines()]
    [own] = [each for each in servers if "myself" in each[2].split(",")]
    ranges = [each.partition("-") for each in own[8:] if not each.startswith("[")]
    has_it = any(int(first) <= slot <= int(last or first) for first, _, last in ranges)
    if not has_it or any(each.startswith(f"[{slot}-") for each in own[8:]):
        raise SlotMoves("its slot moves to another server, or has just moved")
    return " ".join((own[0], *own[6:7], *own[8:]))


class SlotLocation(TCPLocation):
    """Where the server is that has a slot, as servers of the cluster say."""

    def __init__(self, seeds: Sequence[Endpoint], slot: int, how: Mapping[str, Any]) -> None:
        """`how`: what else a connection to any of them needs."""
        super().__init__(seeds[0].host, seeds[0].port)
        self._seeds = seeds
        self._slot = slot
        self._how = {**how, "connect_timeout": LOOK_SECONDS, "stream_timeout": LOOK_SECONDS}
        self._known = deque(seeds)

    async def find(self) -> TCPLocation:
        """Ask one server after the other, beginning with another one each time: a server that is
        cut off from the others says what was true. Raises coredis's errors."""
        refusals: list[Exception] = []
        for endpoint in list(self._known):
            self._known.rotate(-1)
            answer = await self._ask(endpoint)
            if isinstance(answer, Exception):
                refusals.append(answer)
            elif (found := self._found(endpoint, answer)) is not None:
                return TCPLocation(found.host, found.port)
        raise self._refusal(refusals)

    async def _ask(self, endpoint: Endpoint) -> Sequence[Any] | Exception:
        host, port = endpoint.host, endpoint.port
        async with Redis(host, port, retry_policy=NoRetryPolicy(), **self._how) as client:
            try:  # outside, the error would be in a group
                async with client.connection_pool.acquire() as connection:
                    slots = connection.create_request(b"CLUSTER", b"SLOTS", decode=False)
                    return cast("Sequence[Any]", await slots)
            except (RedisError, OSError) as error:  # TimeoutError is an OSError
                return error

    def _found(self, asked: Endpoint, slots: Sequence[Any]) -> Endpoint | None:
        ranges = [(first, last, _endpoints(asked, servers)) for first, last, *servers in slots]
        servers = (each for _, _, found in ranges for each in found)
        self._know(servers)
        for first, last, found in ranges:
            if first <= self._slot <= last:
                return found[0]
        return None

    def _know(self, servers: Iterable[Endpoint]) -> None:
        """Those of the address stay known: all servers may have been replaced by then."""
        now = dict.fromkeys((*self._seeds, *servers))
        known = dict.fromkeys(each for each in self._known if each in now)
        self._known = deque(dict.fromkeys((*known, *now)))

    def _refusal(self, refusals: Sequence[Exception]) -> Exception:
        """Of a server that answered, if there is one."""
        for each in refusals:
            if isinstance(each, ResponseError):
                return each
        if len(refusals) < len(self._known):
            return ClusterDownError(f"CLUSTERDOWN no server has slot {self._slot}")
        return refusals[-1]


class SlotConnection(TCPConnection):
    """A connection to the server that has the slot when it is made."""

    location: TCPLocation

    async def _connect(self) -> Any:  # a stream of anyio
        if isinstance(self.location, SlotLocation):
            self.location = await self.location.find()
        return await super()._connect()


def _endpoints(asked: Endpoint, servers: Sequence[Sequence[Any]]) -> list[Endpoint]:
    """The master and its replicas. One that does not say its host has the host that was asked."""
    return [
        Endpoint(asked.host if host in (None, b"", b"?") else bytes(host).decode(), int(port))
        for host, port, *_ in servers
    ]


def _named(refusal: Exception) -> str:
    match refusal:
        case MovedError():
            return f"MOVED {safe_str(refusal)}"
        case AskError():
            return f"ASK {safe_str(refusal)}"
    return safe_str(refusal)
