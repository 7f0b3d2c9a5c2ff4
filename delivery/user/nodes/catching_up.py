"""Follows what other nodes append to the user's log, before this node appends again."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import ClassVar, TypeAlias

import attrs
import outcome

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.errors import EventNotKept, JournalTooNew, OutOfSequence
from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.going_on import GoingOn
from greenroom.delivery.events.ids import ConnectionId, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import ASK_ENDS, ASK_KINDS
from greenroom.delivery.events.nodes.notice import Notice, What
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS, RUN_TURNS, Record
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.asks import Asks
from greenroom.delivery.user.connections import Connections
from greenroom.delivery.user.messages import Attach, Attached, ShowTyping, ThreadErased, UserMessage
from greenroom.delivery.user.nodes.messages import FromNodes, Noticed, OthersAppended, RunsTakenOver
from greenroom.delivery.user.outcomes.receipts import Receipts
from greenroom.delivery.user.parts import UserParts
from greenroom.delivery.user.runs.user_runs import UserRuns

MOST_TRIES = 200
"""How often a batch may be refused for what others append; then its emitters get an error. A busy
node that shares a user with a faster one comes too late 19 times of 20."""


AttachNow: TypeAlias = Callable[[Attach, Reply[Attached]], None]


@attrs.frozen
class News:
    """What the journal has past an offset: a page of it, and the `last` offset. `elsewhere`: the
    open runs that other nodes have; `going_on`: those that go on, None if neither was read."""

    last: int
    records: Sequence[Record]
    elsewhere: Set[RunId] = frozenset()
    going_on: Sequence[GoingOn] | None = None


@attrs.frozen
class ReadNews(Question[News]):
    """A page of what is new in the user's log. `runs`: read of the open runs whether or not one
    begins there."""

    user: UserId
    after: int
    limit: int
    max_bytes: int
    runs: bool = False

    def answer(self, reads: Reads) -> News:
        last = reads.bounds(self.user).last
        new = last > self.after
        records = reads.read(self.user, self.after, self.limit, self.max_bytes) if new else []
        if not self.runs and RUN_OPENS.isdisjoint([record.kind for record in records]):
            return News(last, records)
        elsewhere, going_on = reads.runs.elsewhere(self.user), reads.runs.going_on(self.user)
        return News(last, records, elsewhere, going_on)


NONE: Set[RunId] = frozenset()
"""Every user has three of these: an empty set takes 216 bytes, and another empty one as many."""


class CatchingUp:
    """A part of the user actor. While it reads, no batch leaves: what is read then continues the
    log as this node knows it, and has nothing of this node's own."""

    __slots__ = (
        *("_actor", "_asks", "_connections", "_outbox", "_over", "_parts", "_receipts"),
        *("_asked_about", "_refused", "_runs", "_taken_over", "_tries", "_user"),
        *("_waiting", "reading", "wanted"),
    )

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        actor: Ref[UserMessage],
        asks: Asks,
        runs: UserRuns,
        connections: Connections,
        receipts: Receipts,
    ) -> None:
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._actor = actor
        self._asks = asks
        self._connections = connections
        self._runs = runs
        self._receipts = receipts
        self._taken_over: Set[RunId] = NONE  # which may have begun in what is read next
        self._asked_about: Set[RunId] = NONE  # those of them of the question under way
        self._over: Set[RunId] = NONE  # ended by other nodes since the last append was refused
        self.reading = False
        self.wanted = False
        """There is news, and a batch is in flight or a page of the news is being read."""
        self._refused: Reply[Record] | None = None  # the first token of the batch refused last
        self._tries = 0
        self._waiting: list[tuple[Attach, Reply[Attached], AttachNow]] = []

    NEWS: ClassVar[Sequence[type[FromNodes]]] = (OthersAppended, RunsTakenOver, Noticed)

    def take(self, news: FromNodes) -> None:
        """One of `NEWS`."""
        if type(news) is Noticed:
            self._noticed(news.notice)
            return
        if type(news) is RunsTakenOver:
            self._taken_over |= frozenset(news.runs)
        self._receipts.ask_again()
        self.look()

    def _noticed(self, notice: Notice) -> None:
        first, second, *_ = notice.of  # a newer version may say more
        if notice.what is What.TYPING:
            thread, sender = ThreadId.trusted(str(first)), str(second)
            self._connections.tell_all(ShowTyping(thread, sender))
        elif notice.what is What.SESSION:
            session, newer = SessionId.trusted(str(first)), ConnectionId.trusted(str(second))
            self._connections.perform(self._outbox.attached_elsewhere(session, newer))
        elif notice.what is What.THREAD_ERASED:
            self._parts.gauge.erasures += 1
            thread = ThreadId.trusted(str(first))
            self._outbox.tail.erase(thread, int(second))
            self._connections.tell_all(ThreadErased(thread))

    def lose_runs(self, reply: Reply[None]) -> None:
        """Another node has the open runs."""
        self._runs.lose()
        reply.succeed(None)

    def look(self) -> None:
        """Another node appended something: read it, now or after the batch in flight."""
        if self.reading or not self._outbox.hold():
            self.wanted = True
        else:
            self.reading, self.wanted = True, False
            self._parts.ask_journal(self._actor, self._question(), self._found)

    def attach(self, request: Attach, reply: Reply[Attached], now: AttachNow) -> None:
        """Attach once the log as this node knows it has the client's offset, or all that the
        journal has: another node may have been there before."""
        if self._has(request) or self._parts.journal.nodes is None:
            now(request, reply)
        else:
            self._waiting.append((request, reply, now))
            self.look()

    def _has(self, request: Attach) -> bool:
        return (request.offset or 0) <= self._outbox.last

    def refused(self, error: OutOfSequence) -> None:
        """The batch in flight does not continue the log: read what does, then try it again."""
        self._outbox.append_refused()
        first = self._outbox.next_token
        self._tries = self._tries + 1 if first is self._refused else 1
        self._refused = first
        if self._tries > MOST_TRIES:
            self._fail(error)
        self.look()

    async def finish(self) -> None:
        """The mailbox is closed: wait for the journal's answers here."""
        while self.reading:
            news = self._parts.journal.ask(self._question(), whose=self._actor.name)
            self._took(await news.wait())

    def _question(self) -> ReadNews:
        limits = self._parts.limits
        self._asked_about = self._taken_over
        size = limits.frame_events, limits.frame_bytes
        return ReadNews(self._user, self._outbox.last, *size, runs=bool(self._asked_about))

    def _found(self, news: ReplyOutcome[News]) -> None:
        if isinstance(news, outcome.Error):
            if isinstance(news.error, JournalTooNew):  # let its clients go to a newer node
                raise news.error
            self._fail(news.error)
            for _, reply, _ in self._waiting:
                reply.fail(news.error)
            self._waiting.clear()
            self._release()
        elif self._took(news.value):
            self._parts.ask_journal(self._actor, self._question(), self._found)

    def _took(self, news: News) -> bool:
        """Take a page. True if there is another one."""
        self._take(news)
        if news.last > self._outbox.last:
            return True
        self._go_on(news.elsewhere)
        return False

    def _take(self, news: News) -> None:
        """Continue the log. Raises `OutOfSequence` if the journal's is another one: it was erased,
        or trimmed past its end here, and the actor must load it again."""
        first = news.records[0].offset if news.records else news.last + 1
        if first != self._outbox.last + 1:
            raise OutOfSequence(self._user, first, self._outbox.last + 1)
        commands = self._outbox.followed(news.records)
        if news.going_on is not None:
            self._runs.broken.know(news.going_on)
        for record in news.records:
            if record.kind in RUN_TURNS:
                self._runs.followed(record, news.elsewhere)
            elif record.kind in ASK_KINDS:
                self._asks.followed(record)
            if record.kind in RUN_ENDS:
                self._over |= {record.run}
        self._connections.perform(commands)

    def _go_on(self, elsewhere: Set[RunId]) -> None:
        """What ended elsewhere does not end again. A run that was taken over may be another node's
        again by now."""
        for reply in self._outbox.withdraw(self._is_late):
            reply.fail(EventNotKept("another node has ended it"))
        self._over = NONE
        self._runs.withdraw_surplus()
        if self._asked_about:
            self._taken_over -= self._asked_about
            self._runs.take_over(self._asked_about - elsewhere)
        self._release()

    def _release(self) -> None:
        self.reading = False
        self._outbox.go_on()
        self._attach_waiting()
        if self.wanted:
            self.look()

    def _attach_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for request, reply, now in waiting:
            if self.wanted and not self._has(request):
                self._waiting.append((request, reply, now))
            else:
                now(request, reply)

    def _is_late(self, draft: Draft) -> bool:
        if draft.kind in ASK_ENDS:  # any node may end a question
            return self._asks.is_late(draft)
        return draft.run in self._over or self._runs.is_elsewhere(draft)

    def _fail(self, error: BaseException) -> None:
        """The emitters get an error; the next batch is refused, too, and read again."""
        for reply in self._outbox.withdraw(_any):
            lost = EventNotKept(f"the journal did not keep the event: {safe_str(error)}")
            lost.__cause__ = error
            reply.fail(lost)


def _any(_: Draft) -> bool:
    return True
