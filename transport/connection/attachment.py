"""A connection's side of its user actor: it attaches, tells what the client said, and detaches."""

from __future__ import annotations

import logging
from functools import partial

import attrs
import outcome
import trio

from greenroom.actors.ref import Ref
from greenroom.actors.reply import ReplyOutcome
from greenroom.delivery.errors import TooManyConnections
from greenroom.delivery.events.ids import ConnectionId
from greenroom.delivery.outbox.feed import SocketGauge
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import Attach, Attached, Detach, UserMessage
from greenroom.supervisor.errors import SupervisorError
from greenroom.transport.connection.machine.events import Overstepped
from greenroom.transport.connection.messages import Answered, ConnectionMessage
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode

logger = logging.getLogger("greenroom.transport")


@attrs.define(eq=False)
class Attachment:
    """The tie between one connection and its user actor.

    `connection` is the connection actor's ref, which gets the answers; `opened_at` is in seconds of
    trio's clock.
    """

    id: ConnectionId
    user: UserHandle
    connection: Ref[ConnectionMessage]
    opened_at: float = attrs.field(factory=trio.current_time)

    def attach(self, hello: wire.Hello, gauge: SocketGauge) -> None:
        """Ask the user actor to feed the connection, from where `hello` says.

        The connection gets `Answered` with `Attached`, or with `Overstepped` if it must close.
        """
        request = Attach(
            self.id,
            self.connection,
            hello.session,
            hello.epoch,
            hello.offset,
            gauge,
            hello.event,
        )
        self.user.ask_soon(request, partial(self._attached, hello))

    def tell(self, message: UserMessage) -> None:
        """Tell the user actor. If it is gone, this connection is about to be stopped."""
        try:
            self.user.actor.tell_owed(message)
        except SupervisorError:
            self._answer(Overstepped(CloseCode.SERVER_ERROR))

    def hand(self, message: UserMessage) -> None:
        """As `tell`, for what the user actor does at once if nothing else waits for it."""
        try:
            self.user.actor.hand(message)
        except SupervisorError:
            self._answer(Overstepped(CloseCode.SERVER_ERROR))

    def detach(self) -> None:
        """Leave the user actor. One that is restarting comes back without any connection."""
        try:
            self.user.actor.tell_owed(Detach(self.id))
        except SupervisorError:
            return

    def _attached(self, hello: wire.Hello, result: ReplyOutcome[Attached]) -> None:
        if isinstance(result, outcome.Error):
            self._answer(Overstepped(_code_of(result.error)))
            return
        self.user.observer.connection_ready(trio.current_time() - self.opened_at)
        if hello.session not in (None, result.value.session):
            logger.info("%s is not a session of this user: a new session begins", hello.session)
            self.user.observer.lookup_failed("session")
        self._answer(result.value)

    def _answer(self, event: Attached | Overstepped) -> None:
        self.connection.tell_owed(Answered(event))


def _code_of(error: BaseException) -> CloseCode:
    if isinstance(error, TooManyConnections):
        return CloseCode.TOO_MANY_CONNECTIONS
    return CloseCode.SERVER_ERROR
