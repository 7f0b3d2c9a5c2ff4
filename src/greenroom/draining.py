"""Draining: users are shown the end of their runs, clients learn when to come back, sockets close.

All of it within limits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs
import trio

from greenroom.actors.ref import Ref
from greenroom.admin.disconnecting import connections_of
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.run.timeouts import GRACE_SECONDS
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.users import Users
from greenroom.supervisor.errors import SupervisorError
from greenroom.transport.connection.machine.events import Disconnected, Draining

RECONNECTS_PER_SECOND = 500
"""Clients asked to reconnect per second. A server takes some 3,000 (docs/operations.md)."""

AFTER_MS, LEAST_JITTER_MS = 500, 2_000
CLOSING_SECONDS = 3.0
"""Seconds for sockets to finish closing, once all clients know that they must go."""

logger = logging.getLogger("greenroom")


def reconnect_times(connections: int) -> Draining:
    """When `connections` clients must reconnect, spread out for the server that takes them."""
    spread = connections * 1_000 // RECONNECTS_PER_SECOND
    return Draining(AFTER_MS, max(LEAST_JITTER_MS, spread))


async def drain_users(users: Users, seconds: float) -> None:
    """Ask each user's clients to reconnect once they were shown the end of the user's runs.

    Runs have `seconds`. Those that are left are cut, and have `GRACE_SECONDS` to end; then all
    clients must go. What users say meanwhile is left to the next server.
    """
    users.hold_says()
    connections = sum(len(list(connections_of(user))) for user in users.active())
    logger.info("draining: %d connections, %d runs", connections, _count_runs(users))
    farewell = Farewell(users, reconnect_times(connections))
    await _wait_until(farewell.is_over, seconds)
    for run in [run for user in users.active() for run in user.live_runs.values()]:
        logger.warning("draining: %r is cut, it took longer than %g s", run, seconds)
        run.stop()
    await _wait_until(farewell.is_over, GRACE_SECONDS)
    farewell.tell_all()
    await _wait_until(lambda: not any(map(_is_connected, users.active())), CLOSING_SECONDS)


@attrs.define
class Farewell:
    """Tells connections when to come back, each of them once."""

    users: Users
    words: Draining
    _told: set[Ref[Disconnected | Draining]] = attrs.field(factory=set)
    _seen: set[UserId] = attrs.field(factory=set)

    def is_over(self) -> bool:
        """Whether no run goes on, and all clients were asked to go."""
        are_quiet = [self._tell_if_quiet(user) for user in self.users.active()]
        return all(are_quiet)

    def tell_all(self) -> None:
        """Tell everyone, whatever goes on."""
        for user in self.users.active():
            self._tell(user)

    def _tell_if_quiet(self, user: UserHandle) -> bool:
        quiet = is_quiet(user)
        if quiet and (user.gauge.listening or user.user not in self._seen):
            self._tell(user)
        return quiet

    def _tell(self, user: UserHandle) -> None:
        self._seen.add(user.user)
        for ref in connections_of(user):
            if ref not in self._told:
                self._told.add(ref)
                ref.tell_owed(self.words)


def is_quiet(user: UserHandle) -> bool:
    """Whether there is nothing more to show: no run goes on or waits, and the sockets have
    everything that runs emitted. Actors that restart have lost their sockets."""
    try:
        return user.is_quiet
    except SupervisorError:
        return not user.live_runs


def _is_connected(user: UserHandle) -> bool:
    return any(True for _ in connections_of(user))


def _count_runs(users: Users) -> int:
    return sum(len(user.live_runs) for user in users.active())


async def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    with trio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110  # once in a life
            await trio.sleep(0.05)
