"""The active users: each is a supervised subtree, started on demand and passivated when idle.

There is no routing table: a user's subtree is looked up by the user's id. Code that uses it holds a
lease, so that the subtree cannot be stopped meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from threading import get_ident
from typing import cast

import trio

from greenroom.actors.reactors.own_thread import check_thread
from greenroom.actors.text.safe import is_a
from greenroom.delivery.errors import UserUnavailable
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.nodes.notice import What
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.nodes import Claims, leads, notices_of
from greenroom.delivery.log_context import bound
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.user.actor import UserActor
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import EventsTrimmed
from greenroom.delivery.user.names import child_id, outbox_name
from greenroom.delivery.user.nodes.claiming import Claiming, Source, Withdrawal, Worker
from greenroom.delivery.user.nodes.following import Access, AllMayConnect, Following
from greenroom.delivery.user.outcomes.letter_log import LetterLog
from greenroom.delivery.user.overdue import OverdueSweep
from greenroom.delivery.user.parts import (
    Launch,
    UserParts,
    UsersSettings,
)
from greenroom.delivery.user.past_connections import PastConnections
from greenroom.delivery.user.runs.launcher import Converse, Launcher, leave_to_workers
from greenroom.delivery.user.runs.run_queue import RunTurns, WaitingRun
from greenroom.delivery.user.runs.take_up import TakeUp
from greenroom.delivery.user.slot import Slot
from greenroom.supervisor.child_spec import ChildSpec, Restart, actor_child, task_child
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef, dynamic_supervisor_child
from greenroom.supervisor.errors import (
    AlreadyStarted,
    ChildNotRunning,
    NoSuchChild,
    SupervisorError,
)
from greenroom.supervisor.strategy import Strategy
from greenroom.supervisor.supervisor import supervisor_child
from greenroom.supervisor.supervisor_ref import SupervisorRef

logger = logging.getLogger("greenroom.delivery")

ENDING_SECONDS = 15.0
"""Seconds that a user's live runs have to end before the user is erased."""

RUNS = dynamic_supervisor_child("runs")
CONNECTIONS = dynamic_supervisor_child("connections")
"""Specs of what is below each user."""


class _Lease(AbstractAsyncContextManager[UserHandle]):
    """Keeps the subtree of a user from being stopped."""

    __slots__ = ("_slot", "_users")

    def __init__(self, users: Users, user: UserId) -> None:
        self._users = users
        self._slot = users._slot_of(user)

    async def __aenter__(self) -> UserHandle:
        self._slot.leases += 1
        try:
            await self._users._ensure_started(self._slot)
        except BaseException:
            self._give_back()
            raise
        return self._slot.handle

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        self._slot.leases -= 1
        self._slot.idle_since = trio.current_time()


class Users:
    """Access to every user. `supervisor` returns a part of the tree."""

    def __init__(
        self,
        settings: UsersSettings,
        *,
        supervisor: Callable[[], DynamicSupervisorRef],
        journal: Journal,
        converse: Converse,
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._journal = journal
        self._converse = converse
        self._letter_log = LetterLog()
        self._sweep = OverdueSweep(self, settings.policies, journal, settings.now_ms)
        self._slots: dict[UserId, Slot] = {}
        self.past: PastConnections = PastConnections()
        self._draining = False
        self._thread = get_ident()
        self._holds_says = False
        self.access: Access = AllMayConnect()
        self._claiming: Claiming | None = None

    def look_for_work(self) -> None:
        """A run waits for a worker, or this worker has room for another one."""
        if self._claiming is not None and self._settings.work is not None:
            self._claiming.wake()

    def hold_says(self) -> None:
        """From now on leave what users say to the next server: it is neither kept nor answered."""
        self._holds_says = True
        for slot in self._slots.values():
            slot.handle.turns.closed = True

    def lease(self, user: UserId) -> AbstractAsyncContextManager[UserHandle]:
        """The user's subtree, running, for the length of the block.

        Raises `UserUnavailable` if it cannot be started, for example if the journal is down, and
        `WrongThread`.
        """
        check_thread(self._thread, f"user {str(user)!r}")
        return _Lease(self, user)

    def _slot_of(self, user: UserId) -> Slot:
        slot = self._slots.get(user)
        if slot is None:
            slot = self._slots[user] = Slot(self._handle(user))
        return slot

    def find(self, user: UserId) -> UserHandle | None:
        """This user, if there is a subtree."""
        slot = self._slots.get(user)
        return slot.handle if slot is not None and slot.handle._tree is not None else None

    def active(self) -> tuple[UserHandle, ...]:
        """Every user with a subtree."""
        slots = self._slots.values()
        return tuple(each.handle for each in slots if each.handle._tree is not None)

    def trimmed(self, user: UserId, through: int) -> None:
        """Tell an active user that the journal has forgotten events through this offset."""
        slot = self._slots.get(user)
        if slot is not None and self._is_running(slot):
            with suppress(ChildNotRunning):  # it restarts, and will ask the journal itself
                slot.handle.actor.tell_owed(EventsTrimmed(through))

    async def passivate_idle(self) -> None:
        """Stop users without leases when they become idle; run this as a child of the tree."""
        while True:
            await trio.sleep(self._settings.idle_seconds / 2)
            for slot in list(self._slots.values()):
                await self._passivate(slot, idle_seconds=self._settings.idle_seconds)

    async def take_up_runs(self) -> None:
        """Take up the runs that go on and that an earlier server left; run this as a child of the
        tree."""
        await TakeUp(self._journal, self.lease).run()

    def begin_drain(self) -> None:
        """Take up no more lost runs, and stop those that wait for their next attempt: the next
        server takes them up."""
        self._draining = True
        for handle in self.active():
            for run in list(handle.live_runs.values()):
                if isinstance(run, WaitingRun) and run.is_again:
                    run.stop()

    async def erase(self, user: UserId) -> None:
        """Erase all that is kept of a user. Live runs are cancelled first and have `ENDING_SECONDS`
        to end; then the user's actors are stopped. The user can return as a new one.

        A call that is cancelled or fails may have erased a part: call it again.
        """
        slot = self._slot_of(user)
        await self._tell_erased(user)
        async with slot.locked():
            await self._end(slot)
            while await self._journal.erase_user_soon(user).wait():
                pass
            self.past.forget(user)
            if not slot.leases:
                self._slots.pop(user, None)
                slot.handle._tree = None
        await self._tell_erased(user)

    async def leave(self, user: UserId) -> None:
        """Stop the user's actors and runs: another node erases the user, or may have done so."""
        slot = self._slot_of(user)
        async with slot.locked():
            await self._end(slot)

    async def _tell_erased(self, user: UserId) -> None:
        if notices := notices_of(self._journal, user, What.USER_ERASED):
            await self._journal.append_soon(notices).wait()

    async def _end(self, slot: Slot) -> None:
        if self._is_running(slot):
            await self._end_runs(slot.handle)
            await self._stop(slot.handle.user)

    async def _end_runs(self, handle: UserHandle) -> None:
        with trio.move_on_after(ENDING_SECONDS):
            while handle.live_runs:
                for run in list(handle.live_runs.values()):
                    run.cancel()
                await trio.sleep(0.05)

    def children(self) -> Iterator[ChildSpec]:
        """What runs beside the users, as children of the tree."""
        yield task_child("passivation", self.passivate_idle)
        yield task_child("expiry", self.settle_overdue)
        if (nodes := self._journal.nodes) is not None:
            yield task_child("nodes", Following(self, self._journal, nodes).run)
            self._claiming = Claiming(self, nodes, self._source(nodes.claims))
            yield task_child("queue", self._claiming.run)
        if self._settings.when_lost.attempts:
            yield task_child("going-on", self.take_up_runs, restart=Restart.TRANSIENT)

    def _source(self, claims: Claims) -> Source:
        settings, when_lost = self._settings, self._settings.when_lost
        if settings.work is None:
            return Withdrawal(claims, when_lost.answering, settings.queue_seconds)
        each, agents = settings.runs_per_user, list(when_lost.attempts)
        return Worker(claims, agents, settings.work, each, lambda: self._draining)

    async def settle_overdue(self) -> None:
        """Settle the overdue events of inactive users, and record in the journal that a server is
        running; run this as a child of the tree."""
        await self._sweep.run()

    async def stop_if_idle(self, user: UserId) -> None:
        """Stop a user without leases at once."""
        slot = self._slots.get(user)
        if slot is not None:
            await self._passivate(slot, idle_seconds=0.0)

    def is_known(self, user: UserId) -> bool:
        """Whether the user has, or recently had, a subtree."""
        return user in self._slots

    async def _passivate(self, slot: Slot, *, idle_seconds: float) -> None:
        idle_for = trio.current_time() - slot.idle_since
        if slot.is_needed or idle_for < idle_seconds:
            return
        async with slot.locked():
            if not slot.is_needed and self._is_running(slot):
                await self._stop(slot.handle.user)
            if not slot.is_needed:
                self._slots.pop(slot.handle.user, None)
                slot.handle._tree = None  # breaks a cycle: the tree's parts refer to the handle

    async def _stop(self, user: UserId) -> None:
        try:
            await self._supervisor().terminate_child(child_id(user))
        except SupervisorError as error:  # a user that does not stop must not hold up the others
            logger.warning("user %r was not stopped: %s", str(user), error)

    async def _ensure_started(self, slot: Slot) -> None:
        if slot.is_locked or not self._is_running(slot):
            async with slot.locked():
                await self._start_if_stopped(slot)

    async def _start_if_stopped(self, slot: Slot) -> None:
        if self._is_running(slot):
            return
        self._sweep.forget(slot.handle.user)  # it may get new events
        try:
            tree = await self._start(self._user_child(slot.handle))
        except SupervisorError as error:
            user = slot.handle.user
            self._settings.observer.lookup_failed("user")
            why = _cause_of(error)
            raise UserUnavailable(f"user {str(user)!r} cannot be served now: {why}") from error
        slot.handle._tree = cast(SupervisorRef, tree)

    async def _start(self, spec: ChildSpec) -> object:
        while True:
            try:
                with bound():
                    return await self._supervisor().start_child(spec)
            except AlreadyStarted:  # it is stopping: its starter was cancelled, or it gave up
                with suppress(NoSuchChild):
                    await self._supervisor().terminate_child(spec.id)

    def _handle(self, user: UserId) -> UserHandle:
        settings = self._settings
        turns = RunTurns(settings.runs_per_user, settings.queued_runs)
        turns.closed = self._holds_says
        return UserHandle(
            user,
            self._journal,
            turns,
            observer=settings.observer,
            now_ms=settings.now_ms,
            past=self.past,
            takes=settings.takes,
            lease=self.lease,
        )

    def _launch(self, handle: UserHandle) -> Launch:
        if self._settings.when_lost.queued:
            return partial(leave_to_workers, handle)
        return Launcher(handle, self._answer, self._settings.ids).launch

    async def _answer(
        self, user: UserHandle, context: UserContext, said: JSON, attempt: RunAttempt
    ) -> None:
        try:
            await self._converse(user, context, said, attempt)
        finally:
            self.look_for_work()

    def _is_running(self, slot: Slot) -> bool:
        return (tree := slot.handle._tree) is not None and not tree.stopped

    def _user_child(self, handle: UserHandle) -> ChildSpec:
        parts = UserParts(
            journal=self._journal,
            epoch=self._settings.epoch,
            live_runs=handle.live_runs,
            launch=self._launch(handle),
            turns=handle.turns,
            stopped=handle.stopped,
            elsewhere=handle.elsewhere,
            leads=partial(leads, self._journal),
            gauge=handle.gauge,
            cancel=handle.cancel,
            limits=self._settings.limits,
            policies=self._settings.policies,
            when_lost=self._settings.when_lost,
            is_draining=lambda: self._draining,
            say_policies=self._settings.say_policies,
            takes=self._settings.takes,
            on_undelivered=self._settings.on_undelivered,
            letter_log=self._letter_log,
            ids=self._settings.ids,
            observer=self._settings.observer,
            now_ms=self._settings.now_ms,
        )
        user = handle.user
        return supervisor_child(
            child_id(user),
            [
                actor_child("outbox", partial(UserActor, user, parts), name=outbox_name(user)),
                RUNS,
                CONNECTIONS,
            ],
            strategy=Strategy.REST_FOR_ONE,
        )


def _cause_of(error: BaseException) -> BaseException:
    """The child's error that caused a supervisor's error."""
    while is_a(error, SupervisorError) and error.__cause__ is not None:
        error = error.__cause__
    return error
