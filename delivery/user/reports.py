"""What clients report: received, displayed, confirmed; noted, counted, or refused."""

from __future__ import annotations

from typing import Literal, TypeAlias

from greenroom.actors.reply import Reply
from greenroom.delivery.events.ids import ConnectionId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.record import Mark, Record
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.account import Account
from greenroom.delivery.user.messages import Acked, ConfirmedThere, DisplayedThere
from greenroom.delivery.user.parts import UserParts

Report: TypeAlias = Acked | DisplayedThere | ConfirmedThere
Stage: TypeAlias = Literal["displayed", "confirmed"]


class Reports:
    """A part of the user actor. A client reports for its own session, on what it was sent."""

    def __init__(
        self, user: UserId, parts: UserParts, outbox: Outbox[Reply[Record]], account: Account
    ) -> None:
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._account = account

    def take(self, report: Report) -> str | None:
        """Note a report. What to tell the client, if it cannot be."""
        match report:
            case Acked(connection, offset):
                return self._ack(connection, offset)
            case DisplayedThere(connection, offsets):
                refused = [
                    self._mark(connection, each, "displayed", None, None) for each in offsets
                ]
                return next(filter(None, refused), None)
            case ConfirmedThere(connection, offset, verdict, note):
                return self._mark(connection, offset, "confirmed", verdict, note)

    def resumed(self, connection: ConnectionId, before: int | None) -> None:
        """A session that had received through `before` says where it is by resuming."""
        session = self._outbox.session_of(connection)
        through = self._outbox.cursor(session) if session else None
        if before is not None and through is not None and through > before:
            self._account.received(before, through, self._parts.now_ms())

    def _ack(self, connection: ConnectionId, offset: int) -> str | None:
        session = self._outbox.session_of(connection)
        before = self._outbox.cursor(session) if session else None
        if self._outbox.ack(connection, offset):
            self.resumed(connection, before)
            return None
        self._parts.observer.report_refused("received")
        return f"ack of offset {offset}: it was not sent"

    def _mark(
        self, connection: ConnectionId, offset: int, stage: Stage, verdict: JSON, note: str | None
    ) -> str | None:
        session = self._outbox.session_of(connection)
        if session is None:
            return None
        mark = Mark(self._user, session, offset, stage, verdict, note, self._parts.now_ms())
        if self._outbox.mark(connection, mark):
            self._account.marked(mark, self._outbox.recall(offset))
            return None
        self._parts.observer.report_refused(stage)
        return f"{stage} offset {offset}: it was not sent"
