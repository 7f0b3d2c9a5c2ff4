"""Threads that answer questions to a journal, beside each other and beside its commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, Final, Generic, Never, TypeAlias, TypeVar

import attrs
import outcome
import trio

from greenroom.actors.errors import MailboxFull
from greenroom.actors.forks.children import in_child
from greenroom.actors.reactors.callbacks import default_callbacks
from greenroom.actors.reactors.own_thread import check_thread
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.errors import DeliveryError, JournalClosed
from greenroom.delivery.journal.fair_queue import FairQueue
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.observer import NO_OBSERVER, Observer

R = TypeVar("R")
Answer: TypeAlias = Callable[[Question[Any]], object]  # Any: each question has its own answer

MOST_QUESTIONS: Final = 1_000
"""The maximum number of questions of one asker that may wait."""


@attrs.frozen(eq=False)
class WaitingQuestion(Generic[R]):
    """A question, and the place of its answer."""

    question: Question[R]
    reply: Reply[R]
    asker: Ref[Never] | None

    @property
    def in_vain(self) -> bool:
        """Whether no one waits for the answer any more."""
        if self.reply.abandoned:
            return True
        return self.asker is not None and self.asker.exit_reason is not None


class Readers:
    """Answers the questions of one trio run, in its own threads.

    One question of each asker is answered at a time, and askers take turns: with two threads or
    more, an asker's long question makes no other wait. A thread is started when a question finds
    none free. They are daemons, and end when their trio run has ended.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        """`answers`: for each thread, the function that answers a question there."""
        self._idle_answers = list(answers)
        self._queue: FairQueue[WaitingQuestion[Any]] = FairQueue(each=MOST_QUESTIONS)
        in_child(self, Readers._start_no_more)
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._free = 0
        self._closing = False
        self._callbacks = default_callbacks()
        self._thread = threading.get_ident()
        self.observer: Observer = NO_OBSERVER
        self.unanswered = 0

    # In trio

    def ask(
        self, question: Question[R], *, whose: Hashable = None, asker: Ref[Never] | None = None
    ) -> Reply[R]:
        """See `Journal.ask`."""
        check_thread(self._thread, "the journal")
        reply: Reply[R] = Reply(self._answered)
        self.unanswered += 1
        with self._changed:
            error = self._refusal(whose, WaitingQuestion(question, reply, asker))
            if error is None:
                self._start_if_none_is_free()
                self._changed.notify()
        if error is not None:
            reply.fail(error)
        return reply

    def _refusal(self, whose: Hashable, asked: WaitingQuestion[Any]) -> Exception | None:
        if self._closing:
            return JournalClosed("the journal is closed")
        if self._queue.put(whose, asked):
            return None
        full = f"at most {MOST_QUESTIONS} questions of one asker may wait for the journal"
        return MailboxFull(full, advice="ask again when an earlier one is answered")

    def _start_if_none_is_free(self) -> None:
        if len(self._queue) > self._free and self._idle_answers:
            thread = threading.Thread(
                target=self._run,
                args=(self._idle_answers.pop(),),
                name="greenroom journal reader",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def _start_no_more(self) -> None:
        """An SQLite connection must not be used in a forked child (sqlite.org/howtocorrupt.html
        §2.6), which has none of the threads that were started."""
        self._idle_answers.clear()

    def _answered(self, _: Reply[Any]) -> None:
        self.unanswered -= 1

    def _landed(
        self, asked: WaitingQuestion[Any], result: ReplyOutcome[Any] | None, seconds: float
    ) -> None:
        if result is None:  # in vain
            self.unanswered -= 1
            return
        if isinstance(result, outcome.Error):
            if not isinstance(result.error, DeliveryError):  # which says what there is not
                self.observer.lookup_failed("journal")
            asked.reply.fail(result.error)
        else:
            asked.reply.succeed(result.value)
        self.observer.looked_up(seconds)

    # On other threads

    def refuse(self) -> None:
        """Accept no more questions."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def close(self) -> None:
        """Answer the accepted questions and end the threads. Not to be called in trio."""
        self.refuse()
        for thread in self._threads:
            thread.join()

    def _run(self, answer: Answer) -> None:
        while (turn := self._next()) is not None:
            whose, asked = turn
            try:
                self._carry_out(answer, asked)
            except trio.RunFinishedError:
                self.refuse()
            finally:
                self._done(whose)

    def _next(self) -> tuple[Hashable, WaitingQuestion[Any]] | None:
        with self._changed:
            while (turn := self._queue.begin()) is None:
                if self._closing and not self._queue:
                    return None
                self._free += 1
                self._changed.wait()
                self._free -= 1
            return turn

    def _done(self, whose: Hashable) -> None:
        """Of the asker's next question, this thread will see to itself: it wakes no other, but for
        those that wait for the end."""
        with self._changed:
            self._queue.done(whose)
            if self._closing:
                self._changed.notify_all()

    def _carry_out(self, answer: Answer, asked: WaitingQuestion[Any]) -> None:
        began = time.monotonic()
        result = None if asked.in_vain else _outcome_of(answer, asked.question)
        took = time.monotonic() - began
        self._callbacks.post(partial(self._landed, asked, result, took))


def _outcome_of(answer: Answer, question: Question[Any]) -> ReplyOutcome[Any]:
    """As `outcome.capture`, which fails at an error whose traceback cannot be read."""
    try:
        return outcome.Value(answer(question))
    except BaseException as error:  # noqa: BLE001  # its asker raises it
        return outcome.Error(error)
