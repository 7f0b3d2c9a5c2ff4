"""Bounds the sockets whose users are not proven yet."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from types import TracebackType

import attrs
import trio

HANDSHAKE_DEADLINE = 10.0


@attrs.frozen
class HalfOpenStatistics:
    """The half-open connections at one moment. `dropped` counts those given up to make room."""

    waiting: int
    limit: int
    dropped: int


class HalfOpen:
    """At most `limit` handshakes at once. One more drops the oldest of the address with the most.

    So a flood of idle sockets pushes itself out, and a client that speaks at once gets in
    (RFC 4987 §3.4, recycling the oldest half-open connection, one floor up). Behind a proxy all
    have its address: then it is the oldest of all.
    """

    def __init__(self, limit: int = 1024) -> None:
        if limit < 1:
            raise ValueError(f"`limit` must be at least 1 handshake, not {limit}")
        self._limit = limit
        # ordered: the first of an address is its oldest
        self._waiting: dict[str, dict[trio.CancelScope, None]] = {}
        self._total = self._dropped = 0

    def handshake(
        self, deadline: float = HANDSHAKE_DEADLINE, peer: str | None = None
    ) -> HalfOpenPlace:
        """Run a handshake: cancelled after `deadline` seconds, or to make room for another.

        `peer` is the address of the other end. Look at the scope's `cancelled_caught` afterwards,
        and drop the connection if it is set.
        """
        return HalfOpenPlace(self, deadline, network_of(peer))

    def statistics(self) -> HalfOpenStatistics:
        return HalfOpenStatistics(self._total, self._limit, self._dropped)

    def _note(self, network: str, scope: trio.CancelScope) -> None:
        if self._total >= self._limit:
            self._drop_one()
        self._waiting.setdefault(network, {})[scope] = None
        self._total += 1

    def _drop_one(self) -> None:
        network = max(self._waiting, key=lambda each: len(self._waiting[each]))
        oldest = next(iter(self._waiting[network]))
        self._forget(network, oldest)
        oldest.cancel()
        self._dropped += 1

    def _forget(self, network: str, scope: trio.CancelScope) -> None:
        scopes = self._waiting.get(network, {})
        if scope in scopes:
            del scopes[scope]
            self._total -= 1
            if not scopes:
                del self._waiting[network]


class HalfOpenPlace:
    """One handshake, for the length of a block, which gets its scope."""

    __slots__ = ("_all", "_network", "_scope")

    def __init__(self, among: HalfOpen, deadline: float, network: str) -> None:
        self._all = among
        self._network = network
        self._scope = trio.move_on_after(deadline)

    def __enter__(self) -> trio.CancelScope:
        self._all._note(self._network, self._scope)
        return self._scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._all._forget(self._network, self._scope)
        return self._scope.__exit__(kind, error, trace)


@lru_cache(maxsize=1024)
def network_of(peer: str | None) -> str:
    """What counts as one peer: an IPv4 address, or an IPv6 network of 64 bits (RFC 6177)."""
    try:
        address = ipaddress.ip_address((peer or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
