"""The user's connections, and the records and news that go to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

import outcome

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.events.ids import ConnectionId, UserId
from greenroom.delivery.events.nodes.notice import Notice, What
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.reads import ReadPast
from greenroom.delivery.outbox.feed import (
    GivenUp,
    HandRecords,
    OutboxCommand,
    ReadAgain,
    ReadPage,
    Superseded,
)
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.messages import (
    ConnectionNews,
    DeliverEvents,
    Detach,
    FellBehind,
    ReadFailed,
    SessionTaken,
    ShowTyping,
    Unacknowledged,
    UserMessage,
    Written,
)
from greenroom.delivery.user.outcomes.reports import Account
from greenroom.delivery.user.parts import UserParts

__all__ = ["Connections"]

logger = logging.getLogger("greenroom.delivery")

TakePage: TypeAlias = Callable[[ConnectionId, list[Record]], Iterable[OutboxCommand]]


class Connections:
    """Performs what the outbox commands: each connection is handed its records, or parted with."""

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        account: Account,
        actor: Ref[UserMessage],
    ) -> None:
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._account = account
        self._actor = actor
        self._refs: dict[ConnectionId, Ref[ConnectionNews]] = {}

    def add(self, connection: ConnectionId, ref: Ref[ConnectionNews]) -> None:
        """From now on the connection is handed records; the outbox has attached it."""
        self._refs[connection] = ref

    def detach(self, message: Detach) -> None:
        """The connection has closed."""
        self._refs.pop(message.connection, None)
        self._outbox.detach(message.connection)

    def written(self, message: Written) -> None:
        """The connection has written records, so that its window has room again."""
        self.perform(self._outbox.written(message.connection, message.through))

    def tell(self, connection: ConnectionId, news: ConnectionNews) -> None:
        """Tell one connection, unless it is gone."""
        if connection in self._refs:
            self._refs[connection].tell_owed(news)

    def tell_all(self, news: ConnectionNews, *, but: ConnectionId | None = None) -> None:
        """Tell every connection, except for `but`."""
        for connection, ref in self._refs.items():
            if connection != but:
                ref.tell_owed(news)

    def show_typing(self, news: ShowTyping, *, but: ConnectionId | None = None) -> None:
        """Tell every connection, except for `but`, also at other nodes."""
        self.tell_all(news, but=but)
        if (nodes := self._parts.journal.nodes) is not None:
            nodes.send(Notice(self._user, What.TYPING, (news.thread, news.sender)))

    def perform(self, commands: Iterable[OutboxCommand]) -> None:
        """Perform the outbox's commands in their order."""
        for command in commands:
            if type(command) is HandRecords:
                news = DeliverEvents(command.records, command.replay)
                if command.replay:
                    self._account.replayed(command.records, self._outbox.received)
                self._refs[command.connection].tell_owed(news)
            elif type(command) is ReadPage:
                self._read(command, self._parts.limits.frame_events, self._outbox.page)
            elif type(command) is ReadAgain:
                self._read(command, command.limit, self._outbox.again)
            elif type(command) is GivenUp:
                logger.warning("%s: %s acknowledges nothing", self._actor.name, command.connection)
                self._part_with(command.connection, Unacknowledged(command.since))
            elif type(command) is Superseded:
                self._part_with(command.connection, SessionTaken())
            else:
                self._part_with(command.connection, FellBehind())

    @property
    def _erasures(self) -> int:
        return self._parts.gauge.erasures

    def _part_with(self, connection: ConnectionId, news: ConnectionNews) -> None:
        self._refs.pop(connection).tell_owed(news)

    def _read(self, command: ReadPage | ReadAgain, limit: int, then: TakePage) -> None:
        size = self._parts.limits.frame_bytes
        question = ReadPast(self._user, command.after, limit, size)
        again = partial(self._read, command, limit, then)
        read = partial(self._page_read, command.connection, then, again, self._erasures)
        self._parts.ask_journal(self._actor, question, read)

    def _page_read(
        self,
        connection: ConnectionId,
        then: TakePage,
        again: Callable[[], None],
        erasures: int,
        page: ReplyOutcome[list[Record]],
    ) -> None:
        if isinstance(page, outcome.Error):
            why = safe_str(page.error)
            logger.warning("%s: no page for %s: %s", self._actor.name, connection, why)
            self.tell(connection, ReadFailed())  # its client reconnects and tries again
            self.detach(Detach(connection))
        elif erasures != self._erasures:
            again()  # it may have events that were erased since
        else:
            self.perform(then(connection, page.value))
