"""The runs of a user from their `say` to their end, as the user actor follows them."""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import partial

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply
from greenroom.actors.timers import Timers
from greenroom.delivery.errors import EventNotKept
from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS, Record
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.asks import Asks
from greenroom.delivery.user.messages import EndLeftRuns, UserMessage
from greenroom.delivery.user.parts import UserAtRest, UserParts
from greenroom.delivery.user.runs.broken_runs import BrokenRuns
from greenroom.delivery.user.runs.left_runs import LeftRuns, OpenRuns
from greenroom.delivery.user.runs.queued_runs import QueuedRuns
from greenroom.delivery.user.runs.says import Says

LATER = 1.0
"""Seconds that the end of a left run waits after a failed append."""


class UserRuns:
    """A part of the user actor. `open` has the runs that have begun and not ended, `broken` those
    of them that go on, and `says` what the user says to begin one."""

    __slots__ = (
        *("_asks", "_elsewhere_at_rest", "_left", "_outbox", "_parts", "_queued", "_timers"),
        *("broken", "elsewhere", "open", "says"),
    )

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        actor: Ref[UserMessage],
        asks: Asks,
        known: UserAtRest,
        timers: Timers[UserMessage],
    ) -> None:
        """`known`: the runs that the journal has as open."""
        self._parts = parts
        self.elsewhere = parts.elsewhere
        self._elsewhere_at_rest = known.elsewhere
        self._outbox = outbox
        self._asks = asks
        self._timers = timers
        runs = self.open = OpenRuns(known.open_runs)
        again = partial(_look_again, timers)  # not a method: the actor would know itself
        later, going_on = partial(again, LATER), known.going_on
        self._left = LeftRuns(user, parts, outbox, runs, actor, later, asks.close_run)
        close = asks.close_attempt
        self.broken = BrokenRuns(user, parts, outbox, runs, going_on, actor, again, close)
        self._queued = _queued(parts, known)
        places = self._queued or parts.turns
        self.says = Says(
            user, parts, actor=actor, offer=outbox.offer, places=places, leave=runs.leave
        )

    def begin(self) -> None:
        """The actor starts: open runs that are not alive here were lost with an earlier process,
        unless another node has them."""
        self.broken.begin()
        self.elsewhere.intersection_update(self._parts.live_runs)
        self.elsewhere |= self._elsewhere_at_rest
        for run in self.open:
            self._leave_if_gone(run)

    def emit(self, draft: Draft, reply: Reply[Record]) -> None:
        """Keep an event of a run. Before its end the questions are closed that it does not know
        of: an earlier attempt asked them, and this one did not."""
        if self.elsewhere and self.is_elsewhere(draft):
            reply.fail(EventNotKept(f"another node has ended run {draft.run}, or goes on with it"))
            return
        if draft.kind in RUN_ENDS:
            self._asks.close_run(draft.run)
        self._outbox.offer(draft, reply)

    def is_elsewhere(self, draft: Draft) -> bool:
        """Whether another node has the run of the draft, or the run above it."""
        return draft.run in self.elsewhere or draft.parent in self.elsewhere

    def leave(self, run: RunId, words: Draft | None = None) -> None:
        """The code of a run is gone. If it has not ended, it goes on or is ended: with `words`, if
        there are any."""
        if run in self.elsewhere:
            if run not in self.open:
                self.elsewhere.discard(run)
        elif words is not None or not self.broken.take_up(run):
            self.open.leave(run, words)

    def followed(self, record: Record, elsewhere: Set[RunId]) -> None:
        """Another node's record is durable; or it is this node's, which took it for lost.
        `elsewhere`: the open runs that other nodes have."""
        self._noted(record)
        self.broken.followed(record)
        if record.run in elsewhere:
            self.elsewhere.add(record.run)
        elif record.kind in RUN_OPENS:
            self._leave_if_gone(record.run)
        elif (live := self._parts.live_runs.get(record.run)) is not None:
            self.elsewhere.add(record.run)
            live.stop()
        else:
            self.elsewhere.discard(record.run)

    def withdraw_surplus(self) -> None:
        """Refuse messages that are not kept yet, and have no place since other nodes kept some."""
        if self._queued is not None and (surplus := self._queued.surplus()):
            for reply in self._outbox.withdraw(partial(_is_of, surplus)):
                reply.fail(self._queued.refusal())

    def take_over(self, runs: Iterable[RunId]) -> None:
        """This node has these runs now: end them, or take them up again."""
        for run in runs:
            self.elsewhere.discard(run)
            self._leave_if_gone(run)

    def lose(self) -> None:
        """Another node has the open runs."""
        self.elsewhere.update(self.open)
        self.broken.give_up()
        self.open.left.clear()

    def _leave_if_gone(self, run: RunId) -> None:
        if run in self.open and run not in self._parts.live_runs and run not in self.elsewhere:
            self.leave(run)

    def kept(self, record: Record) -> None:
        """A record is durable."""
        self._noted(record)
        self.broken.kept(record)

    def _noted(self, record: Record) -> None:
        self.open.kept(record)
        if self._queued is not None:
            self._queued.kept(record)

    def append_failed(self) -> None:
        if self.open.left:
            self._left.later()

    def end_left(self) -> None:
        """Begin to end the runs that were left; call this after every message."""
        if self.open.left and EndLeftRuns not in self._timers:
            self._left.end()

    def take_up_broken(self) -> None:
        """Begin to take up the runs that go on; call this after what was emitted has left."""
        if self.broken.waiting and EndLeftRuns not in self._timers:
            self.broken.look()

    async def end_left_at_once(self) -> None:
        """The mailbox is closed: wait for the journal's answers here."""
        await self._left.end_at_once()

    def give_up(self) -> None:
        """The actor stops: its next incarnation takes up the runs that go on."""
        self.broken.give_up()


def _queued(parts: UserParts, known: UserAtRest) -> QueuedRuns | None:
    if not parts.when_lost.queued:
        return None
    return QueuedRuns([each.run for each in known.going_on], parts.turns.most)


def _is_of(runs: Set[RunId], draft: Draft) -> bool:
    return draft.run in runs


def _look_again(timers: Timers[UserMessage], seconds: float) -> None:
    timers.start(EndLeftRuns, seconds, EndLeftRuns())
