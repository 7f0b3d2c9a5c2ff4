"""How a connection gets its feed: find its session and its place, and check the limit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

import attrs
import outcome

from greenroom.actors.ref import ActorStopped, Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.errors import TooManyConnections
from greenroom.delivery.events.ids import ConnectionId, EventId, SessionId, UserId
from greenroom.delivery.events.nodes.notice import Notice, What
from greenroom.delivery.events.record import Cursor, Record
from greenroom.delivery.journal.nodes import notices_of
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.outbox.feed import OutboxCommand
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.outbox.resumption import Resumption
from greenroom.delivery.user.asks import Asks
from greenroom.delivery.user.messages import Attach, Attached, UserMessage
from greenroom.delivery.user.parts import UserParts

logger = logging.getLogger("greenroom.delivery")

Admitted: TypeAlias = Callable[[Attach, int | None, Iterable[OutboxCommand]], None]


@attrs.frozen
class _KnownSession:
    """What the journal answered: the cursor of a session that is not remembered; the offset through
    which the client's log `agreed`, if the client sent its event; and the `event` at `place`."""

    cursor: Cursor | None = None
    agreed: int | None = None
    place: int | None = None
    event: EventId | None = None


@attrs.frozen
class ReadSession(Question[_KnownSession]):
    """A session's cursor, and the offset through which the client's log agrees: the one at which it
    claims to have an event is looked up. A number, or nothing, is passed on."""

    user: UserId
    session: SessionId | None
    offset: int
    claim: int | EventId | None

    def answer(self, reads: Reads) -> _KnownSession:
        cursor = _cursor(reads, self.user, self.session)
        if not isinstance(self.claim, EventId):
            return _KnownSession(cursor, self.claim)
        return _KnownSession(cursor, reads.agrees_through(self.user, self.offset, self.claim))


@attrs.frozen
class ReadPlace(Question[_KnownSession]):
    """The event at a session's place, beside what is known."""

    user: UserId
    session: SessionId | None
    offset: int
    known: _KnownSession

    def answer(self, reads: Reads) -> _KnownSession:
        cursor = _cursor(reads, self.user, self.session)
        event = reads.event_at(self.user, self.offset)
        return attrs.evolve(self.known, cursor=cursor, place=self.offset, event=event)


def _cursor(reads: Reads, user: UserId, session: SessionId | None) -> Cursor | None:
    """Part of every question: the session may be forgotten before the answer arrives."""
    return None if session is None else reads.cursor(user, session)


class Admission:
    """A part of the user actor, made for each connection, because parts that the actor keeps must
    not refer to it. A session that is not remembered is looked up in the journal."""

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        actor: Ref[UserMessage],
        asks: Asks,
        admitted: Admitted,
    ) -> None:
        """`admitted` is called for each connection after the answer, with the offset its session
        had received through, if it resumes from there, and the commands to perform."""
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._actor = actor
        self._asks = asks
        self._admitted = admitted

    def attach(self, request: Attach, reply: Reply[Attached]) -> None:
        """Answer a connection: now, or after the journal answered if it must be asked."""
        session, claim = request.session, self._claim(request)
        asks_session = session is not None and self._outbox.cursor(session) is None
        if not asks_session and not isinstance(claim, EventId):
            return self._admit(request, reply, _KnownSession(agreed=claim))

        question = ReadSession(self._user, session, request.offset or 0, claim)
        return self._ask(question, request, reply)

    def _claim(self, request: Attach) -> int | EventId | None:
        """The offset through which the client's log equals this one, or the event that the journal
        must look up; None if the client does not name an event of this journal."""
        if request.epoch != self._outbox.epoch or request.offset is None or request.event is None:
            return None
        record = self._outbox.recall(request.offset)
        at_hand = record is not None and record.id == request.event
        return request.offset if at_hand else request.event

    def _ask(
        self, question: Question[_KnownSession], request: Attach, reply: Reply[Attached]
    ) -> None:
        looked_up = partial(self._looked_up, request, reply)
        self._parts.ask_journal(self._actor, question, looked_up)

    def _looked_up(
        self, request: Attach, reply: Reply[Attached], known: ReplyOutcome[_KnownSession]
    ) -> None:
        if isinstance(known, outcome.Error):
            reply.fail(known.error)
        else:
            self._admit(request, reply, known.value)

    def _admit(self, request: Attach, reply: Reply[Attached], known: _KnownSession) -> None:
        if request.ref.exit_reason is not None:
            reply.fail(ActorStopped(request.ref.name, request.ref.exit_reason))
            return None  # the connection left while its session was looked up
        before = self._outbox.cursor(request.session) if request.session else None
        is_known = before is not None or known.cursor is not None
        session = request.session if is_known else None
        if self._outbox.full_for(session):
            too_many = f"user {str(self._user)!r} has too many live connections"
            reply.fail(TooManyConnections(too_many, advice="close one and connect again"))
            return None
        position = self._position(request, session, before, known)
        event = self._event_at(position.offset, known)
        if event is None and position.offset and known.place != position.offset:
            return self._ask_event(request, reply, known, position.offset)
        self._tell_of_lies(request, position)
        commands = self._begin(request, reply, session, position, known.cursor, event)
        return self._admitted(request, before if position.recovered else None, commands)

    def _begin(
        self,
        request: Attach,
        reply: Reply[Attached],
        session: SessionId | None,
        position: Resumption,
        cursor: Cursor | None,
        event: EventId | None,
    ) -> list[OutboxCommand]:
        connection, moved = request.connection, False
        if session is None or not position.recovered:  # the old session keeps what it received
            session, cursor = self._parts.ids.new(SessionId), None
        else:
            moved = self._announce(session, connection)
        last, epoch, gauge = self._outbox.last, self._outbox.epoch, request.gauge
        commands = self._outbox.attach(
            connection, session, position, cursor, gauge, noticed=not moved
        )
        asks, recovered = self._asks.asked, position.recovered
        reply.succeed(Attached(session, epoch, last, recovered, position.offset, event, asks))
        return commands

    def _announce(self, session: SessionId, connection: ConnectionId) -> bool:
        """Tell other nodes at once: the order of such notices says which node had the session
        last. False if there are no others ever."""
        journal, moved = self._parts.journal, (What.SESSION, session, connection)
        notices = notices_of(journal, self._user, *moved)
        if notices:
            kept = journal.append_soon(notices)
            self._parts.tell_answer(self._actor, kept, partial(self._announced, notices))
        return bool(notices)

    def _announced(self, notices: Sequence[Notice], kept: ReplyOutcome[None]) -> None:
        if isinstance(kept, outcome.Error):  # later, then
            self._outbox.note(notices)

    def _position(
        self, request: Attach, session: SessionId | None, before: int | None, known: _KnownSession
    ) -> Resumption:
        cursor = known.cursor.offset if before is None and known.cursor is not None else before
        epoch, offset = request.epoch, request.offset
        return self._outbox.position(epoch, offset, cursor, session, known.cursor, known.agreed)

    def _event_at(self, offset: int, known: _KnownSession) -> EventId | None:
        record = self._outbox.recall(offset)
        if record is not None:
            return record.id
        return known.event if known.place == offset else None

    def _ask_event(
        self, request: Attach, reply: Reply[Attached], known: _KnownSession, offset: int
    ) -> None:
        question = ReadPlace(self._user, request.session, offset, known)
        self._ask(question, request, reply)

    def _tell_of_lies(self, request: Attach, position: Resumption) -> None:
        """Log and count a `hello` that claims more than the client was sent, or another log. What
        another node sent it may not be known here yet."""
        claimed = request.offset if request.epoch is not None else None
        is_alone = self._parts.journal.nodes is None
        if is_alone and position.recovered and claimed is not None and claimed > position.offset:
            self._parts.observer.report_refused("received")
            logger.info(
                "%s: %s claims offset %d in its hello, but was sent events only through offset %d",
                *(self._actor.name, request.session, claimed, position.offset),
            )
        elif position.parted:
            logger.warning(
                "%s: a client has a different event at offset %s than the journal, perhaps because "
                "a backup was restored: it is sent everything after offset %d",
                *(self._actor.name, claimed, position.offset),
            )
