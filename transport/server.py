"""The server: accepted sockets, the front door, and connections handed to their users."""

from __future__ import annotations

import logging

import attrs
import trio

from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.delivery.errors import TooManyConnections, UserUnavailable
from greenroom.delivery.events.ids import ConnectionId, IdSource, UserId
from greenroom.delivery.log_context import bound
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.supervisor.child_spec import ChildSpec
from greenroom.supervisor.errors import StartFailed, SupervisorError, TooManyChildren
from greenroom.transport.connection.admitted import Admitted
from greenroom.transport.connection.child import ConnectionParts, connection_child
from greenroom.transport.door.answering import peer_of
from greenroom.transport.door.front_door import FrontDoor
from greenroom.transport.door.half_open import HalfOpen
from greenroom.transport.door.unready import UnreadyPlace
from greenroom.transport.events.streaming import Streaming
from greenroom.transport.http.exchange import Exchange
from greenroom.transport.http.responses import text
from greenroom.transport.programs import Programs
from greenroom.transport.streams import Streams

logger = logging.getLogger("greenroom.transport")

LOOK_SECONDS = 0.02
"""Seconds between looks whether a user's actors are back: a supervisor does not announce it."""


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
    programs: Programs = attrs.field(factory=Programs)
    streams: Streams = attrs.field(factory=Streams)

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
            admitted = await self.door.admit(stream)
            if isinstance(admitted, Exchange):
                await self.programs.take(admitted)
            elif isinstance(admitted, Streaming):
                await self.streams.take(admitted)
            elif admitted is not None:
                await self.take_in(admitted)
        if scope.cancelled_caught:
            self.drop_handshake(scope)
            await trio.aclose_forcefully(stream)

    def drop_handshake(self, scope: trio.CancelScope) -> None:
        """Count a handshake whose scope was cancelled."""
        late = trio.current_time() >= scope.deadline
        self.observer.handshake_dropped("too_late" if late else "crowded_out")

    async def take_in(self, admitted: Admitted) -> None:
        """Start a connection for an admitted user, or refuse it for now."""
        connection, user = self.ids.new(ConnectionId), admitted.identity.user
        with bound(connection=connection, user=str(user)):
            try:
                place = self.parts.unready.place(user)
            except TooManyConnections:
                await self._refuse_for_now(admitted, 429, "Too many connections of this user open.")
            else:
                await self._start_or_refuse(connection, place, admitted)

    async def _start_or_refuse(
        self, connection: ConnectionId, place: UnreadyPlace, admitted: Admitted
    ) -> None:
        try:
            with place.kept():
                spec = connection_child(admitted, connection, self.parts, place)
                await self._start(spec, admitted.identity.user)
        except TooManyChildren:
            await self._refuse_for_now(admitted, 429, "Too many connections of this user open.")
        except StartFailed as error:
            logger.info("left during the handshake: %s", type(error.__cause__).__name__)
        except (UserUnavailable, SupervisorError) as error:
            logger.warning("could not be served: %s", error)
            await self._refuse_for_now(admitted, 503, "The server cannot take this user now.")

    async def _refuse_for_now(self, admitted: Admitted, status: int, sentence: str) -> None:
        logger.info("GET /live: %d %s", status, sentence)
        self.observer.handshake_refused(status)
        await admitted.refuse(text(status, sentence, {"Retry-After": "1"}))

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
