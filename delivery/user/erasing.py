"""Erases threads: ends the runs that speak in a thread, then has the journal forget its events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs
import outcome

from greenroom.actors.ref import ActorStopped, Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.events.nodes.notice import What
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.nodes import notices_of
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.messages import ConnectionNews, ThreadErased, UserMessage
from greenroom.delivery.user.parts import UserParts
from greenroom.delivery.user.runs.left_runs import OpenRuns

AGAIN_SECONDS = 0.05
"""Seconds between two looks at the runs that must end first."""


@attrs.define(eq=False)
class _Erasure:
    """A thread to erase, and the requests that wait for it. `through` is None until its runs have
    ended; from then on its events through that offset are erased."""

    thread: ThreadId
    replies: list[Reply[None]]
    through: int | None = None


class Erasing:
    """A part of the user actor. Erases one thread after the other.

    A run that begins in the thread meanwhile is ended, too. What is appended after the last of
    them has ended is not erased: it begins the thread again.
    """

    __slots__ = ("_actor", "_later", "_outbox", "_parts", "_runs", "_tell_all", "_user", "_waiting")

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        runs: OpenRuns,
        actor: Ref[UserMessage],
        tell_all: Callable[[ConnectionNews], None],
        later: Callable[[], None],
    ) -> None:
        """`later` schedules another call of `go_on`."""
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._runs = runs
        self._actor = actor
        self._tell_all = tell_all
        self._later = later
        self._waiting: list[_Erasure] = []

    def erase(self, thread: ThreadId, reply: Reply[None]) -> None:
        """Answer once the thread's events are gone from the journal and from memory."""
        for erasure in self._waiting:
            if erasure.thread == thread and erasure.through is None:
                erasure.replies.append(reply)
                return
        self._waiting.append(_Erasure(thread, [reply]))
        if len(self._waiting) == 1:
            self.go_on()

    def go_on(self) -> None:
        """End the runs that speak in the first thread, or erase it if there are none."""
        if not self._waiting or (first := self._waiting[0]).through is not None:
            return
        speaking = [run for run in self._runs if self._runs[run].thread == first.thread]
        if speaking:
            for run in speaking:
                self._parts.cancel(run)  # again each time: a run that just begins is not live yet
            self._later()
        else:
            first.through = self._outbox.last
            self._step(first, first.through)

    def fail_all(self, error: Callable[[], ActorStopped]) -> None:
        for erasure in self._waiting:
            for reply in erasure.replies:
                reply.fail(error())

    def _step(self, erasure: _Erasure, through: int) -> None:
        journal = self._parts.journal
        more = journal.erase_thread_soon(self._user, erasure.thread, through=through)
        self._parts.tell_answer(self._actor, more, partial(self._erased, erasure, through))

    def _erased(self, erasure: _Erasure, through: int, more: ReplyOutcome[bool]) -> None:
        if isinstance(more, outcome.Value) and more.value:
            self._step(erasure, through)
            return
        if isinstance(more, outcome.Error):
            self._answer(erasure, more)
            return
        self._forget(erasure.thread, through)
        journal, whose = self._parts.journal, (self._user, What.THREAD_ERASED)
        if notices := notices_of(journal, *whose, erasure.thread, through):
            kept = journal.append_soon(notices)
            self._parts.tell_answer(self._actor, kept, partial(self._answer, erasure))
        else:
            self._answer(erasure, outcome.Value(None))

    def _answer(self, erasure: _Erasure, result: ReplyOutcome[None] | ReplyOutcome[bool]) -> None:
        """A call that failed may have erased all of it: the next one tells other nodes, too."""
        self._waiting.remove(erasure)
        for reply in erasure.replies:
            if isinstance(result, outcome.Error):
                reply.fail(result.error)
            else:
                reply.succeed(None)
        self.go_on()

    def _forget(self, thread: ThreadId, through: int) -> None:
        """Answers that the journal gave before are asked for again: see `Gauge.erasures`."""
        self._parts.gauge.erasures += 1
        self._outbox.tail.erase(thread, through)
        self._tell_all(ThreadErased(thread))
