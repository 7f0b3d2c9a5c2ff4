"""Draining: clients learn when to reconnect, runs end and sockets close, all within limits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress

import trio

from greenroom.actors.ref import Ref
from greenroom.delivery.run.timeouts import GRACE_SECONDS
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.users import Users
from greenroom.supervisor.errors import SupervisorError
from greenroom.transport.connection.machine.events import Draining

RECONNECTS_PER_SECOND = 500
"""Clients asked to reconnect per second. A server takes some 3,000 (docs/operations.md)."""

AFTER_MS, LEAST_JITTER_MS = 500, 2_000
CLOSING_SECONDS = GRACE_SECONDS + 1.0
"""Seconds for sockets to finish closing, and for cut runs to emit their end."""

logger = logging.getLogger("greenroom")


def reconnect_times(connections: int) -> Draining:
    """When `connections` clients must reconnect, spread out for the server that takes them."""
    spread = connections * 1_000 // RECONNECTS_PER_SECOND
    return Draining(AFTER_MS, max(LEAST_JITTER_MS, spread))


async def drain_users(users: Users, seconds: float) -> None:
    """Ask clients to reconnect, wait `seconds` for runs to end, and cut those that do not."""
    connections = [ref for user in users.active() for ref in _connections(user)]
    logger.info("draining: %d connections, %d runs", len(connections), _count_runs(users))
    farewell = reconnect_times(len(connections))
    for ref in connections:
        ref.tell_owed(farewell)
    await _wait_until(lambda: not _count_runs(users), seconds)
    for run in [run for user in users.active() for run in user.live_runs.values()]:
        logger.warning("draining: %r is cut, it took longer than %g s", run, seconds)
        run.stop()
    await _wait_until(
        lambda: not _count_runs(users) and not any(map(_is_connected, users.active())),
        CLOSING_SECONDS,
    )


def _connections(user: UserHandle) -> Iterator[Ref[Draining]]:
    with suppress(SupervisorError):  # its actors restart: it has no connection now
        for child in user.connections.which_children():
            if isinstance(child.value, Ref):
                yield child.value


def _is_connected(user: UserHandle) -> bool:
    return any(True for _ in _connections(user))


def _count_runs(users: Users) -> int:
    return sum(len(user.live_runs) for user in users.active())


async def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    with trio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110  # once in a life
            await trio.sleep(0.05)
