"""A connection as a supervised child: its WebSocket, the task that reads it, and the actor."""

from __future__ import annotations

from contextlib import suppress

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from greenroom.actors.actor import run_actor
from greenroom.actors.ref import ActorStopped
from greenroom.actors.reply import Reply
from greenroom.actors.timers import Alarm, alarm_clock
from greenroom.delivery.events.ids import ConnectionId, UserId
from greenroom.delivery.log_context import bind
from greenroom.delivery.user.users import Users
from greenroom.supervisor.child_spec import ChildSpec, Restart
from greenroom.transport.auth.tokens import Authenticator
from greenroom.transport.connection.actor import (
    CLOSE_SECONDS,
    ConnectionActor,
    ConnectionSettings,
)
from greenroom.transport.connection.machine.events import SocketGone
from greenroom.transport.connection.messages import Flooded, FrameCame
from greenroom.transport.connection.socket.counted_socket import CountedSocket
from greenroom.transport.connection.socket.rate_limit import SharedBuckets, TokenBucket
from greenroom.transport.door.front_door import Upgrade, close_gently
from greenroom.transport.door.unready import UnreadyPlace, UnreadySockets
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode


@attrs.frozen
class ConnectionParts:
    """What every connection of a server works with.

    `users_frames`: what all connections of one user may send together. `unready`: how many of them
    may be open without being ready.
    """

    users: Users
    authenticator: Authenticator
    settings: ConnectionSettings
    users_frames: SharedBuckets
    unready: UnreadySockets


def connection_child(
    upgrade: Upgrade, connection: ConnectionId, parts: ConnectionParts, place: UnreadyPlace
) -> ChildSpec:
    """The spec of a connection; its value is the connection actor's ref.

    It holds its `place` except while it is ready, and releases it with its socket.
    """

    start = _ConnectionStart(upgrade, connection, parts, place)
    return ChildSpec(connection, start, Restart.TEMPORARY)


@attrs.frozen
class _ConnectionStart:
    """The start function of a connection."""

    upgrade: Upgrade
    connection: ConnectionId
    parts: ConnectionParts
    place: UnreadyPlace

    async def __call__(self, *, task_status: trio.TaskStatus[object]) -> None:
        bind(connection=self.connection, user=str(self.upgrade.identity.user))
        self.place.take()
        try:
            await _serve(self.upgrade, self.connection, self.parts, self.place, task_status)
        finally:
            self.place.release()
            await trio.aclose_forcefully(self.upgrade.stream)


async def _serve(
    upgrade: Upgrade,
    connection: ConnectionId,
    parts: ConnectionParts,
    place: UnreadyPlace,
    task_status: trio.TaskStatus[object],
) -> None:
    async with parts.users.lease(upgrade.identity.user) as user:
        async with trio.open_nursery() as nursery:
            socket = _socket_of(upgrade, user.user, parts)
            await socket.open(nursery, wire.SUBPROTOCOL)
            actor = ConnectionActor(
                socket,
                upgrade.identity,
                connection,
                user,
                parts.authenticator,
                parts.settings,
                nursery,
                on_ready=place.release,
            )
            received: Reply[None] = Reply()
            nursery.start_soon(_receive, socket, actor, received)
            with _WriteGuard(actor, nursery.cancel_scope, parts.settings.times.heartbeat):
                await run_actor(actor, name=connection, task_status=task_status)
            place.take()
            await actor.close()
            await _hear_out(socket, received)
            nursery.cancel_scope.cancel()
        await _end(socket, upgrade)


def _socket_of(upgrade: Upgrade, user: UserId, parts: ConnectionParts) -> CountedSocket:
    limits, now = parts.settings.limits, trio.current_time()
    frames = TokenBucket(limits.frames_per_second, limits.frames_burst, now=now)
    allow = _FrameRate(frames, parts.users_frames.of(user, now=now))
    return CountedSocket(upgrade.stream, max_bytes=limits.max_frame_bytes, allow=allow)


@attrs.frozen
class _FrameRate:
    """Whether a connection may send another frame, and all of its user's together may."""

    own: TokenBucket
    users: TokenBucket

    def __call__(self) -> bool:
        now = trio.current_time()
        return self.own.take(now) and self.users.take(now)


async def _receive(socket: CountedSocket, actor: ConnectionActor, received: Reply[None]) -> None:
    """Feed the actor what the client sends. A full mailbox makes the socket wait, and so do
    answers that the client does not read."""
    try:
        while True:
            message = await socket.get_message()
            await socket.wait_for_room()
            await actor.ref.send(FrameCame(message))
    except ConnectionClosed:
        actor.ref.tell_owed(Flooded() if socket.flooded else SocketGone())
    except ActorStopped:
        return
    finally:
        received.succeed(None)


async def _hear_out(socket: WebSocketConnection, received: Reply[None]) -> None:
    """trio-websocket raises in the writer before it sends the close frame (1009), and in the reader
    afterwards. Wait for the reader."""
    if socket.closed is not None:
        with trio.move_on_after(CLOSE_SECONDS):
            await received.wait()


async def _end(socket: WebSocketConnection, upgrade: Upgrade) -> None:
    """A close that the WebSocket layer began (1009) must still reach the peer."""
    if socket.closed is not None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await close_gently(upgrade.stream)


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
            self.actor.give_up(CloseCode.HEARTBEAT_MISSED)
            self.scope.cancel()
        else:
            self.watch()
