"""Group commit: the journal's thread takes the appends that wait, and commits them together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import trio

from greenroom.actors.errors import GreenroomError, another
from greenroom.actors.reactors.callbacks import default_callbacks
from greenroom.actors.reactors.dispatcher import default_dispatcher
from greenroom.actors.reply import Reply
from greenroom.delivery.errors import (
    AlreadySaid,
    JournalBusy,
    JournalLost,
    JournalReadOnly,
    LeaseLost,
)
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.checks import check_ids
from greenroom.delivery.journal.commits.group import Append, Group, emitters, light_first
from greenroom.delivery.journal.commits.pace import Pace
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.observer import NO_OBSERVER, Observer

MOST_WAITING: Final = 100_000
"""Appends that may wait for the disk. A user actor has one at a time."""

GROUP: Final = 10_000
"""Appends committed together at most."""

SHORT: Final = 0.0005
"""Seconds of a pause for which the thread does not sleep once more: a wake-up costs more."""

_EVERYONES: Final = (JournalBusy, JournalLost, JournalReadOnly, LeaseLost)
"""Errors that each caller of a group would meet again, some after seconds."""


class Committer:
    """The appends that wait for the journal's thread, from any task of one trio run.

    `append_soon` runs in trio, `commit` on the thread. Appends are handed to the thread when the
    dispatcher's turn ends, so that those of one turn are committed together; and a commit posts one
    callback to trio, however many callers it has.
    """

    def __init__(
        self, write: Callable[[Sequence[Entry]], None], thread: JournalThread, pace: Pace
    ) -> None:
        """`write(entries)` keeps all of the entries or none; it is called on the thread."""
        self._pace = pace
        self._write = write
        self._thread = thread
        self._orphaned = False
        self._callbacks = default_callbacks()
        self._gathered: list[Append] = []  # in this turn
        self._waiting: deque[Append] = deque()
        self._asleep = True
        self.observer: Observer = NO_OBSERVER
        self.unanswered = 0
        self.under_way = 0
        self.appends = self.entries = self.failures = 0

    # In trio

    def append_soon(self, entries: Sequence[Entry]) -> Reply[None]:
        """See `Journal.append_soon`."""
        self._thread.check_thread()  # one that no turn hands over would keep all others waiting
        reply: Reply[None] = Reply(self._answered)
        self.unanswered += 1
        if self.unanswered > MOST_WAITING:
            reply.fail(
                JournalBusy(
                    f"{MOST_WAITING} appends wait for the journal's disk",
                    advice="try again when the disk has caught up",
                )
            )
        else:
            self.accept(entries, reply)
            if len(self._gathered) == 1:
                default_dispatcher().at_end(self.hand_over)
        return reply

    def accept(self, entries: Sequence[Entry], reply: Reply[None]) -> None:
        """Have the entries kept after the next `hand_over`; the reply is set when they are."""
        try:
            self._thread.check_open()
            check_ids(entries)
        except GreenroomError as error:
            self._failed(error)
            reply.fail(error)
            return
        self.under_way += 1
        self._gathered.append(Append(entries, reply))

    def hand_over(self) -> None:
        """Let the thread have what was accepted up to now."""
        if not self._gathered:
            return
        gathered, self._gathered = self._gathered, []
        self._waiting.extend(gathered)
        ended = self._pace.appended(emitters(gathered))
        if self._asleep or ended:
            self._asleep = False
            self._thread.wake()

    def _answered(self, _: Reply[None]) -> None:
        self.unanswered -= 1

    def _landed(self, group: Group, error: BaseException | None, seconds: float) -> None:
        """A commit kept a group, or met one error. Its callers get their replies in this turn:
        the pause counts from its end."""
        if self._pace.pauses:
            default_dispatcher().at_end(self._pace.landed)
        self.under_way -= len(group)
        if error is None:
            self._count(group, seconds)
            for append in group:
                append.reply.succeed(None)
            return
        self._failed(error)
        for number, append in enumerate(group):
            append.reply.fail(another(error) if number else error)

    def _count(self, group: Group, seconds: float) -> None:
        entries = sum([len(append.entries) for append in group])
        if entries:
            self.appends += 1
            self.entries += entries
            self.observer.appended(seconds, entries, sum([append.size for append in group]))

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, AlreadySaid):
            return  # a client repeats a message: nothing is wrong with the journal
        self.failures += 1
        self.observer.append_failed(type(error).__name__)

    # On the thread

    def commit(self) -> float | None:
        """Commit the appends that wait, if it is time. Returns the seconds until the next call, or
        None if that is after the next `wake`. What comes during a commit waits for the next one."""
        if (seconds := self._pace.wait()) > SHORT:
            return seconds
        if self._waiting and not self._gathered:
            self._commit_next()
            if self._orphaned:
                self.commit_now()
            if seconds := self._pace.wait():
                return seconds
        self._asleep = True  # until the hand-over, which may have come before this was set
        return 0.0 if self._waiting and not self._gathered else None

    def commit_now(self) -> None:
        """Commit all appends that wait. Raises `trio.RunFinishedError` afterwards if their trio run
        has ended."""
        while self._waiting:
            self._commit_next()
        if self._orphaned:
            raise trio.RunFinishedError

    def _commit_next(self) -> None:
        for part in light_first(self._take()):
            self._commit(part)

    def _take(self) -> Group:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP))]

    def _commit(self, group: Group) -> None:
        """Keep all at once; if refused, each caller's alone, so that only the culprit fails.

        After a repeated message the halves are tried: clients may well cause one in each group.
        """
        began = time.monotonic()
        error = self._try(group)
        if error is None or len(group) == 1 or isinstance(error, _EVERYONES):
            self._post(group, error, time.monotonic() - began)
        elif isinstance(error, AlreadySaid):
            self._commit(group[: len(group) // 2])
            self._commit(group[len(group) // 2 :])
        else:
            for append in group:
                self._commit([append])

    def _try(self, group: Group) -> BaseException | None:
        try:
            self._write([entry for append in group for entry in append.entries])
        except BaseException as error:  # noqa: BLE001  # the callers raise it
            return error
        return None

    def _post(self, group: Group, error: BaseException | None, seconds: float) -> None:
        self._pace.posted(emitters(group))
        try:
            self._callbacks.post(partial(self._landed, group, error, seconds))
        except trio.RunFinishedError:
            self._orphaned = True
