"""The server: listening sockets, the front door, and connections handed to their users."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable

import attrs
import trio

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.delivery.errors import TooManyConnections, UserUnavailable
from greenroom.delivery.events.ids import ConnectionId, IdSource, UserId
from greenroom.delivery.log_context import bound
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.supervisor.child_spec import ChildSpec
from greenroom.supervisor.errors import StartFailed, SupervisorError, TooManyChildren
from greenroom.transport.connection.child import ConnectionParts, connection_child
from greenroom.transport.door.front_door import FrontDoor, Upgrade, peer_of
from greenroom.transport.door.half_open import HalfOpen
from greenroom.transport.door.unready import UnreadyPlace
from greenroom.transport.http.responses import text

logger = logging.getLogger("greenroom.transport")

OUT_OF_HANDLES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
BREATH_SECONDS = 0.1
LOOK_SECONDS = 0.02
"""Seconds between looks whether a user's actors are back: a supervisor does not announce it."""


class PortBusy(GreenroomError):
    """Another process listens on the port."""

    fault = Fault.OPERATOR
    temporary = True


class CannotListen(GreenroomError):
    """The server cannot listen on the address: it is another machine's, forbidden, or malformed."""

    fault = Fault.OPERATOR


@attrs.frozen
class Server:
    """Accepts sockets and hands them to their users' subtrees.

    An upgrade during a restart of the user's actors waits `restart_patience` seconds for them.
    """

    door: FrontDoor
    parts: ConnectionParts
    half_open: HalfOpen
    ids: IdSource
    accept_deadline: float = 10.0
    observer: Observer = NO_OBSERVER
    restart_patience: float = 2.0

    async def welcome(self, stream: trio.abc.Stream) -> None:
        """One accepted socket. What goes wrong with it is logged and never reaches the others."""
        try:
            await self._welcome(stream)
        except BaseException as error:
            if must_go_on(error):
                await trio.aclose_forcefully(stream)
                raise
            log_failure(logger, error, "a socket could not be welcomed")
            await trio.aclose_forcefully(stream)

    async def _welcome(self, stream: trio.abc.Stream) -> None:
        """Answer the request and close, or hand the socket on, or drop it past the deadline."""
        with self.half_open.handshake(self.accept_deadline, peer_of(stream)) as scope:
            upgrade = await self.door.admit(stream)
            if upgrade is not None:
                await self._hand_on(upgrade)
        if scope.cancelled_caught:
            late = trio.current_time() >= scope.deadline
            self.observer.handshake_dropped("too_late" if late else "crowded_out")
            await trio.aclose_forcefully(stream)

    async def _hand_on(self, upgrade: Upgrade) -> None:
        connection, user = self.ids.new(ConnectionId), upgrade.identity.user
        with bound(connection=connection, user=str(user)):
            try:
                place = self.parts.unready.place(user)
            except TooManyConnections:
                await self._refuse_for_now(upgrade, 429, "Too many connections of this user open.")
            else:
                await self._start_or_refuse(connection, place, upgrade)

    async def _start_or_refuse(
        self, connection: ConnectionId, place: UnreadyPlace, upgrade: Upgrade
    ) -> None:
        try:
            with place.kept():
                spec = connection_child(upgrade, connection, self.parts, place)
                await self._start(spec, upgrade.identity.user)
        except TooManyChildren:
            await self._refuse_for_now(upgrade, 429, "Too many connections of this user open.")
        except StartFailed as error:
            logger.info("left during the handshake: %s", type(error.__cause__).__name__)
        except (UserUnavailable, SupervisorError) as error:
            logger.warning("could not be served: %s", error)
            await self._refuse_for_now(upgrade, 503, "The server cannot take this user now.")

    async def _refuse_for_now(self, upgrade: Upgrade, status: int, sentence: str) -> None:
        logger.info("GET /live: %d %s", status, sentence)
        await self.door.refuse(upgrade, text(status, sentence, {"Retry-After": "1"}))

    async def _start(self, spec: ChildSpec, user: UserId) -> None:
        patience_ends = trio.current_time() + self.restart_patience
        while True:
            try:
                async with self.parts.users.lease(user) as handle:
                    await handle.connections.start_child(spec)
                    return
            except (StartFailed, TooManyChildren):
                raise
            except SupervisorError:
                if trio.current_time() >= patience_ends:
                    raise
            await trio.sleep(LOOK_SECONDS)


async def open_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Listen on `host`, all its addresses. Raises `PortBusy` or `CannotListen`."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        if _has_errno(error, errno.EADDRINUSE):
            raise PortBusy(
                f"port {port} of {host} is in use",
                advice="stop the process that listens there, or choose another with --port",
            ) from error
        raise CannotListen(
            f"cannot listen on {host}, port {port}: {error.strerror or error}"
        ) from error


def listener_child(host: str, port: int, server: Server) -> ChildSpec:
    """The spec of the listener; its value is the port, which stays the same after a restart.

    Stopping it closes the listening sockets and drops handshakes, and nothing else.
    """

    async def start(*, task_status: trio.TaskStatus[object]) -> None:
        nonlocal port
        listeners = await open_listeners(host, port)
        port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(_accept, listener, server.welcome, nursery)
            task_status.started(port)

    return ChildSpec("listeners", start)


async def _accept(
    listener: trio.SocketListener,
    welcome: Callable[[trio.abc.Stream], Awaitable[None]],
    nursery: trio.Nursery,
) -> None:
    async with listener:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in OUT_OF_HANDLES:
                    raise
                logger.error("cannot accept a socket now: %s", error)
                await trio.sleep(BREATH_SECONDS)
            else:
                nursery.start_soon(welcome, stream)


def _has_errno(error: BaseException | None, number: int) -> bool:
    """Trio wraps the errors of all addresses in one `OSError`: look into its causes."""
    if isinstance(error, BaseExceptionGroup):
        return any(_has_errno(each, number) for each in error.exceptions)
    if isinstance(error, OSError) and error.errno == number:
        return True
    return error is not None and _has_errno(error.__cause__, number)
