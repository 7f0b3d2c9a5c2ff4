"""A connection as a supervised child: its socket, the task that reads it, and the actor."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from functools import partial

import attrs
import trio

from greenroom.actors.actor import run_actor
from greenroom.actors.errors import MailboxFull
from greenroom.actors.ref import ActorStopped
from greenroom.actors.timers import Alarm, alarm_clock
from greenroom.delivery.events.ids import ConnectionId, UserId
from greenroom.delivery.log_context import bind
from greenroom.delivery.user.users import Users
from greenroom.supervisor.child_spec import ChildSpec, Restart
from greenroom.transport.auth.validity import Validity
from greenroom.transport.connection.actor import ConnectionActor, ConnectionSettings
from greenroom.transport.connection.admitted import Admitted
from greenroom.transport.connection.machine.events import SocketGone
from greenroom.transport.connection.messages import ConnectionMessage, Flooded
from greenroom.transport.connection.side_tasks import SideTasks
from greenroom.transport.connection.socket.connection_socket import ConnectionSocket
from greenroom.transport.connection.socket.rate_limit import (
    FrameRates,
    SharedBuckets,
    TokenBucket,
)
from greenroom.transport.door.unready import UnreadyPlace, UnreadySockets
from greenroom.transport.protocol.close_codes import CloseCode


@attrs.frozen
class ConnectionParts:
    """What every connection of a server works with.

    `users_frames`: what all connections of one user may send together. `unready`: how many of them
    may be open without being ready.
    """

    users: Users
    validity: Validity
    settings: ConnectionSettings
    users_frames: SharedBuckets
    unready: UnreadySockets


def connection_child(
    admitted: Admitted, connection: ConnectionId, parts: ConnectionParts, place: UnreadyPlace
) -> ChildSpec:
    """The spec of a connection; its value is the connection actor's ref.

    It holds its `place` except while it is ready, and releases it with its socket.
    """

    start = _ConnectionStart(admitted, connection, parts, place)
    return ChildSpec(connection, start, Restart.TEMPORARY)


@attrs.frozen
class _ConnectionStart:
    """The start function of a connection."""

    admitted: Admitted
    connection: ConnectionId
    parts: ConnectionParts
    place: UnreadyPlace

    async def __call__(self, *, task_status: trio.TaskStatus[object]) -> None:
        bind(connection=self.connection, user=str(self.admitted.identity.user))
        self.place.take()
        try:
            await _serve(self.admitted, self.connection, self.parts, self.place, task_status)
        finally:
            self.place.release()
            await self.admitted.drop()


async def _serve(
    admitted: Admitted,
    connection: ConnectionId,
    parts: ConnectionParts,
    place: UnreadyPlace,
    task_status: trio.TaskStatus[object],
) -> None:
    async with parts.users.lease(admitted.identity.user) as user:
        rates, limits = _rates_of(user.user, parts), parts.settings.limits
        socket = admitted.socket(max_bytes=limits.max_frame_bytes, allow=rates.allow)
        with SideTasks() as beside:
            await socket.open(beside)
            actor = ConnectionActor(
                socket,
                admitted.identity,
                connection,
                user,
                parts.validity,
                parts.settings,
                beside,
                rates,
                on_ready=place.release,
            )
            actor.occupation = _Reading(socket, actor)
            with _WriteGuard(actor, beside.scope, parts.settings.times.heartbeat):
                await run_actor(actor, name=connection, task_status=task_status)
            place.take()
            await actor.close()
        await socket.finish()


def _rates_of(user: UserId, parts: ConnectionParts) -> FrameRates:
    limits, now = parts.settings.limits, trio.current_time()
    own = TokenBucket(limits.frames_per_second, limits.frames_burst, now=now)
    clock = trio.lowlevel.current_clock().current_time
    return FrameRates(own, parts.users_frames.of(user, now=now), clock)


@attrs.define(eq=False)
class _Reading:
    """What the connection's task does: it reads, and tells the actor what the client says. A full
    mailbox makes the socket wait, and so do answers that the client does not read."""

    socket: ConnectionSocket
    actor: ConnectionActor
    has_ended: bool = False

    async def run(self) -> None:
        await self.socket.read(self)

    def interrupt(self, scope: trio.CancelScope) -> None:
        self.socket.stop_reading(scope)

    def hear(self, message: str | bytes) -> Awaitable[None] | None:
        if self.socket.writer.waiting:
            return self._hear_later(message)
        return self._tell(message)

    async def _hear_later(self, message: str | bytes) -> None:
        await self.socket.wait_for_room()
        if (wait := self._tell(message)) is not None:
            await wait

    def _tell(self, message: str | bytes) -> Awaitable[None] | None:
        event = self.actor.frame_of(message)
        if event is None:
            return None
        try:
            self.actor.ref.tell(event)
        except MailboxFull:
            return self._send(event)
        except ActorStopped:
            pass
        return None

    async def _send(self, event: ConnectionMessage) -> None:
        with suppress(ActorStopped):
            await self.socket.be_patient(partial(self.actor.ref.send, event))

    def ended(self, *, flooded: bool) -> None:
        if not self.has_ended:
            self.has_ended = True
            self.actor.ref.tell_owed(Flooded() if flooded else SocketGone())


@attrs.define(eq=False)
class _WriteGuard:
    """In its block, cut a connection whose peer does not read: nothing of a write leaves in
    `patience` s. It looks twice per patience instead of setting a deadline for every write."""

    actor: ConnectionActor
    scope: trio.CancelScope
    patience: float
    alarm: Alarm = attrs.field(init=False)

    def __enter__(self) -> None:
        self.watch()

    def __exit__(self, *_: object) -> None:
        self.alarm.cancel()

    def watch(self) -> None:
        self.alarm = alarm_clock().set(self.patience / 2, self._look)

    def _look(self) -> None:
        writer = self.actor.writer
        drained, since = writer.pulse.drained_at(), writer.stalled_since
        if since is not None and trio.current_time() - max(since, drained) >= self.patience:
            self.actor.note_cut(CloseCode.HEARTBEAT_MISSED)
            self.scope.cancel()
        else:
            self.watch()
