"""How a connection gets its feed: its session is found, its place and the limit checked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeAlias

import outcome

from greenroom.actors.errors import ActorStopped
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Outcome, Reply
from greenroom.delivery.errors import TooManyConnections
from greenroom.delivery.ids import SessionId, UserId
from greenroom.delivery.journal import Cursor, Record
from greenroom.delivery.outbox import Command, Outbox, Position
from greenroom.delivery.user_messages import Attach, Attached, UserMessage
from greenroom.delivery.user_parts import UserParts

logger = logging.getLogger("greenroom.delivery")

Admitted: TypeAlias = Callable[[Attach, int | None, Iterable[Command]], None]


class Admission:
    """A part of the user actor. A session that is not remembered is looked up in the journal."""

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        actor: Ref[UserMessage],
        admitted: Admitted,
    ) -> None:
        """`admitted` is told of each connection, once it was answered: what its session had
        received before, if it goes on from there, and what to do."""
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._actor = actor
        self._admitted = admitted

    def attach(self, request: Attach, reply: Reply[Attached]) -> None:
        session = request.session
        if session is None or self._outbox.cursor(session) is not None:
            return self._admit(request, reply, session, None)
        return self._parts.ask_journal(
            self._actor,
            lambda journal: journal.cursor(self._user, session),
            lambda cursor: self._cursor_known(request, reply, cursor),
        )

    def _cursor_known(
        self, request: Attach, reply: Reply[Attached], known: Outcome[Cursor | None]
    ) -> None:
        if isinstance(known, outcome.Error):
            reply.fail(known.error)
        else:
            session = None if known.value is None else request.session
            self._admit(request, reply, session, known.value)

    def _admit(
        self,
        request: Attach,
        reply: Reply[Attached],
        session: SessionId | None,
        known: Cursor | None,
    ) -> None:
        if request.ref.exit_reason is not None:
            reply.fail(ActorStopped(request.ref.name, request.ref.exit_reason))
            return  # it left while its session was looked up
        if self._outbox.full_for(session):
            reply.fail(TooManyConnections(f"user {self._user!r} has too many live connections"))
            return
        before = self._outbox.cursor(session) if session else None
        cursor = known.offset if before is None and known is not None else before
        position = self._outbox.position(request.epoch, request.offset, cursor, session, known)
        self._tell_of_lies(request, position)
        if session is None or not position.recovered:  # what the old one received stays received
            session, known = self._parts.ids.new(SessionId), None
        last = self._outbox.last
        commands = self._outbox.attach(request.connection, session, position, known, request.gauge)
        reply.succeed(Attached(session, self._outbox.epoch, last, position.recovered))
        self._admitted(request, before if position.recovered else None, commands)

    def _tell_of_lies(self, request: Attach, position: Position) -> None:
        """No ack of what was not sent is believed because a `hello` brings it."""
        claimed = request.offset if request.epoch is not None else None
        if position.recovered and claimed is not None and claimed > position.offset:
            self._parts.observer.report_refused("received")
            logger.info(
                "%s: %s says that it is at offset %d, and was sent no more than %d",
                *(self._actor.name, request.session, claimed, position.offset),
            )
