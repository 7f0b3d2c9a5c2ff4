"""The actor: a mailbox, a loop, and a handler for each message."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import ClassVar, Generic, TypeVar, cast

import attrs
import trio

from greenroom.actors.errors import MailboxFull
from greenroom.actors.exit import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    ExitReason,
    ended_by,
    holds_interrupt,
)
from greenroom.actors.mailbox import Mailbox, OnRestart, Overflow
from greenroom.actors.own_life import OwnLife
from greenroom.actors.probe import NO_PROBE, Probe, guarded
from greenroom.actors.recording.recent import RECENT_BYTES, Recent
from greenroom.actors.ref import ActorStopped, Ask, Ref
from greenroom.actors.text.safe import safe_repr
from greenroom.actors.timers import Timers

M = TypeVar("M")


class Resting:
    """The state from which a life without a task continues in a new one."""

    __slots__ = ()

    @property
    def context(self) -> Context | None:
        """The context of which the task gets a copy; None for the supervisor's."""
        return None

    def woken(self) -> None:
        """Called at once when the task is started, before it runs."""

    async def resume(self) -> object:
        """What the task does."""
        raise NotImplementedError


class SupervisedStart:
    """The `task_status` of a child that a supervisor runs: one life of an actor.

    `run_actor` knows it by its class, and lets the supervisor stop the actor.
    """

    __slots__ = ()

    doom: ExitReason | None
    """Why the actor is being stopped, if it is."""

    @property
    def kept(self) -> Ref[object] | None:
        """The ref of the actor before this one, if its mailbox was kept."""
        raise NotImplementedError

    def keep(self, ref: Ref[object]) -> None:
        """Keep the mailbox of this actor for the next one."""
        raise NotImplementedError

    def abort(self, reason: ExitReason) -> None:
        """Stop the actor, and let `reason` be its exit reason. Does not wait."""
        raise NotImplementedError

    @property
    def may_rest(self) -> bool:
        """Whether no other code runs in the task, so that the life can do without it."""
        raise NotImplementedError

    def rest(self, resting: Resting) -> None:
        """Go on without a task, from the end of the present one until `wake`."""
        raise NotImplementedError

    def wake(self) -> None:
        """Start a task in which what rests resumes, if it does not yet."""
        raise NotImplementedError


class Actor(Generic[M]):
    """Subclass it and override `receive`, which gets one message at a time, in order of arrival.

    What `receive` returns for a `Request` is its answer. To answer later, or to handle messages in
    batches, override `receive_many` and set each `Ask.reply` yourself.
    With `traps_exits`, the actor gets the message `Exited` when a linked actor ends, and does not
    end with it. Its last `remembered` messages, up to `remembered_bytes`, are kept for crash
    reports.
    """

    capacity: ClassVar[int] = 1024
    overflow: ClassVar[Overflow] = Overflow.REJECT
    remembered: int = 16
    remembered_bytes: int = RECENT_BYTES

    ref: Ref[M]
    timers: Timers[M]
    recent: Recent
    traps_exits: ClassVar[bool] = False
    _stop = False

    async def started(self) -> None:
        """Runs before the first message. Raising fails the start, and `stopping` is not called.

        As with a failed `init` in OTP's gen_server(3), undo here what was half done.
        """

    async def receive(self, message: M) -> object:
        """Handle one message. An exception ends the actor; its supervisor decides what follows."""
        raise NotImplementedError(f"{type(self).__name__} has no receive()")

    async def receive_many(self, messages: deque[M | Ask[object]]) -> None:
        """Handle a batch. Take messages from the left: what remains counts as not handled."""
        while messages and not self._stop:
            message = messages.popleft()
            self.recent.append(message)
            if isinstance(message, Ask):
                await self._answer(message)
            else:
                await self.receive(message)

    async def stopping(self, reason: ExitReason) -> None:
        """Clean up; shielded from cancellation for the `grace` given to `run_actor`.

        New messages are refused by now, unless the mailbox is kept; asks taken earlier may still
        be answered. Raising turns an orderly end into a crash; after a crash, a note of it is added
        to the first error, which stays the reason.
        """

    def stop(self) -> None:
        """End normally once the current message is handled."""
        self._stop = True

    async def _live(self, life: ActorLife[M]) -> bool:
        """Handle messages until it stops. True if it rests: it goes on without the task."""
        mailbox, probe = self.ref._mailbox, life.probe
        while not self._stop:
            batch = await mailbox.take_all()
            count = len(batch)
            try:
                await self.receive_many(batch)
                self.recent.handled(count - len(batch))
            finally:
                mailbox.put_back(batch)
                probe.handled(self.ref.name, count - len(batch))
                del batch  # it takes 760 bytes, and the next one may be long in coming
        return False

    async def _answer(self, ask: Ask[object]) -> None:
        try:
            answer = await self.receive(ask.request)  # type: ignore[arg-type]  # a Request in M
        except BaseException as error:
            ask.reply.fail(ActorStopped(self.ref.name, ended_by(error)))
            raise
        ask.reply.succeed(answer)


async def run_actor(
    actor: Actor[M],
    *,
    name: str,
    probe: Probe = NO_PROBE,
    grace: float = 5.0,
    mailbox: OnRestart = OnRestart.FAILED,
    task_status: trio.TaskStatus[Ref[M]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run an actor until it stops, crashes (raises) or is cancelled.

    `nursery.start(run_actor, …)` returns its ref. `stopping` may take `grace` seconds; past them
    it is cancelled, and an otherwise orderly end becomes `killed`. `mailbox` matters only under a
    supervisor, which may start another actor after this one.
    """
    probe = guarded(probe)
    start = task_status if isinstance(task_status, SupervisedStart) else None
    policy = mailbox if start else OnRestart.FAILED
    kept = start is not None and policy is OnRestart.KEPT
    ref = _go_on(actor, name, probe, start) if start and kept else attach(actor, name, probe)
    ref._abort = start.abort if start else None
    ref._task = trio.lowlevel.current_task()
    try:
        await actor.started()
    except BaseException as error:
        _leave(actor, ref, _reason(error, start), policy)
        raise
    probe.started(name)
    life = ActorLife(actor, probe, grace, policy, start)
    await life.go_through(actor._live(life), task_status)


def attach(
    actor: Actor[M], name: str, probe: Probe = NO_PROBE, ref: Ref[M] | None = None
) -> Ref[M]:
    """Give an actor its mailbox, ref and timers. `run_actor` calls it; tests may.

    `ref` is the kept ref of an earlier actor.
    """
    if ref is None:
        mailbox: Mailbox[M | Ask[object]] = Mailbox(
            actor.capacity,
            overflow=actor.overflow,
            on_drop=_fail_dropped,
            clock=_clock_of_run(),
        )
        ref = Ref(name, mailbox, probe)
    actor.ref = ref
    ref._actor, ref.traps_exits = actor, actor.traps_exits
    actor.timers = Timers(ref.tell_owed)
    actor.recent = Recent(actor.remembered, actor.remembered_bytes)
    return ref


def _go_on(actor: Actor[M], name: str, probe: Probe, start: SupervisedStart) -> Ref[M]:
    """Attach an actor to the kept mailbox of the actor before it, or to a new one if there is none.

    Messages that are meant for one life alone, from its timers and pipes, go through its `OwnLife`.
    """
    before = cast("Ref[M] | None", start.kept)
    goes_on = before is not None and before.exit_reason is None
    ref = attach(actor, name, probe, before if goes_on else None)
    ref._own = OwnLife(name, ref._mailbox, ref.tell_owed)
    actor.timers = Timers(ref._own.tell_owed)
    start.keep(cast("Ref[object]", ref))
    return ref


def _reason(error: BaseException, start: SupervisedStart | None) -> ExitReason:
    """The reason of its end; the supervisor's, if the supervisor stopped it for one."""
    reason = ended_by(error)
    return start.doom if start and start.doom and reason == SHUTDOWN else reason


@attrs.frozen(eq=False)
class ActorLife(Generic[M]):
    """A life of an actor that has started: how it comes to its end."""

    actor: Actor[M]
    probe: Probe
    grace: float
    policy: OnRestart
    start: SupervisedStart | None

    async def go_through(
        self,
        work: Awaitable[bool],
        task_status: trio.TaskStatus[Ref[M]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Do the work, then end the actor, unless the work says that it rests."""
        reason: ExitReason | None = NORMAL
        try:
            task_status.started(self.actor.ref)
            if await work:
                reason = None
        except BaseException as error:  # noted before any awaiting clean-up can erase it
            reason = _reason(error, self.start)
            raise
        finally:
            if reason is not None:
                await self._end(reason)

    async def _end(self, reason: ExitReason) -> None:
        ref = self.actor.ref
        if self.policy is OnRestart.FAILED:
            ref._refuse(reason)
        last_words = ref._last_words = trio.CancelScope(shield=True)
        try:
            with last_words:
                last_words.deadline = trio.current_time() + self.grace
                await self.actor.stopping(reason)
            if last_words.cancelled_caught and reason.orderly:
                reason = KILLED
        except BaseException as error:
            if reason.error is None or holds_interrupt(error):
                reason = ended_by(error, cancelled=False)  # the scope keeps its own cancellation
                raise
            _add_note(reason.error, f"and then stopping() raised {safe_repr(error)}")
        finally:
            _leave(self.actor, ref, reason, self.policy)
            self.probe.stopped(ref.name, reason)


def _add_note(error: BaseException, note: str) -> None:
    """Unless the error takes none: its `__notes__` may be anything."""
    with suppress(Exception):
        BaseException.add_note(error, note)


def _leave(actor: Actor[M], ref: Ref[M], reason: ExitReason, policy: OnRestart) -> None:
    """The actor has ended. What waits now fails, or is kept for the next actor."""
    if policy is OnRestart.FAILED:
        ref._refuse(reason)
    actor.timers.cancel_all()
    if ref._own is not None:
        own, ref._own = ref._own, None
        own.end(reason)
    ref._task = None
    ref._fail_taken(reason)
    if policy is OnRestart.FAILED:
        ref._announce_end(reason)


def _clock_of_run() -> Callable[[], float]:
    """What `trio.current_time` asks in the end: a call instead of three."""
    try:
        return trio.lowlevel.current_clock().current_time
    except RuntimeError:  # a test attaches an actor outside of a trio run
        return trio.current_time


def _fail_dropped(message: object) -> None:
    if isinstance(message, Ask):
        message.reply.fail(MailboxFull("the request was dropped to make room for newer messages"))
