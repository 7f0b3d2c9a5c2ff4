"""A connection's look at its token, at each heartbeat: is it still good?"""

from __future__ import annotations

import attrs

from greenroom.actors.ref import Ref
from greenroom.transport.auth.tokens import Identity
from greenroom.transport.auth.validity import Validity
from greenroom.transport.connection.machine.events import Disconnected, TokenChecked
from greenroom.transport.connection.messages import Answered, ConnectionMessage
from greenroom.transport.connection.socket.ordered_writer import Starter


@attrs.define(eq=False)
class TokenWatch:
    """One connection's. `connection`, its actor's ref, gets the answers.

    `identity`: what the latest good token of the connection proved.
    """

    validity: Validity
    identity: Identity
    connection: Ref[ConnectionMessage]
    beside: Starter
    _is_asking: bool = False

    @property
    def is_banned(self) -> bool:
        """Whether the user was banned since the door let this connection in."""
        return self.validity.bans.until(self.identity.user) is not None

    def look(self) -> None:
        """Ask, in a task of its own, unless an answer is awaited already."""
        if self.is_banned:
            self.connection.tell_owed(Answered(Disconnected()))
        elif not self._is_asking and self.validity.can_ask(self.identity):
            self._is_asking = True
            self.beside.start_soon(self._ask)

    async def _ask(self) -> None:
        identity = self.identity
        try:
            verdict = await self.validity.check(identity)
        finally:
            self._is_asking = False
        if identity is self.identity:  # otherwise a new token has come
            self.connection.tell_owed(Answered(TokenChecked(verdict)))
