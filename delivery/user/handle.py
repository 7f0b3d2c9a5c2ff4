"""A user's subtree seen from outside: its actor, its runs and its connections."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar, cast

import attrs
import outcome

from greenroom.actors.errors import ActorError
from greenroom.actors.ref import Ref, Request
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.asks.places import AskPlaces
from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.going_on import NotAgain
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.nodes.notice import What
from greenroom.delivery.files.taken import Files
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.nodes import notices_of
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.user.messages import RunLeft, UserMessage
from greenroom.delivery.user.parts import Gauge, wall_clock_ms
from greenroom.delivery.user.past_connections import PastConnections
from greenroom.delivery.user.runs.run_queue import LiveRun, RunTurns, WaitingRun
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef
from greenroom.supervisor.errors import SupervisorError, SupervisorStopped
from greenroom.supervisor.supervisor_ref import SupervisorRef

R = TypeVar("R")


@attrs.define(eq=False)
class UserHandle:
    """Access to one user's subtree, valid while it is leased. Refs are looked up on each use,
    because actors restart.

    `live_runs`: the runs that are alive in this process: supervised, embedded or waiting.
    `elsewhere`: runs that other nodes have, though they may still be alive here.
    `stopped`: those of them that go on if they are lost, and that the user stopped.
    `turns`: the places of the runs that the user started.
    `now_ms`: the wall clock, ms since the epoch.
    `gauge`: how well the connections keep up, set by the user actor and read by runs.
    `asks`: the places of open questions.
    `past`: how connections ended, of all users.
    `takes`: the files that may go with messages.
    """

    user: UserId
    journal: Journal
    turns: RunTurns = attrs.field(factory=RunTurns)
    live_runs: dict[RunId, LiveRun] = attrs.field(factory=dict)
    stopped: set[RunId] = attrs.field(factory=set)
    elsewhere: set[RunId] = attrs.field(factory=set)
    gauge: Gauge = attrs.field(factory=Gauge)
    asks: AskPlaces = attrs.field(factory=AskPlaces)
    past: PastConnections = attrs.field(factory=PastConnections)
    takes: Files | None = None
    observer: Observer = NO_OBSERVER
    now_ms: Callable[[], int] = wall_clock_ms
    _lease: Callable[[UserId], AbstractAsyncContextManager[UserHandle]] | None = None
    _tree: SupervisorRef | None = None
    _actor: Ref[UserMessage] | None = attrs.field(default=None, init=False)

    def leased(self) -> AbstractAsyncContextManager[UserHandle]:
        """Lease this user for the length of a block, whether or not other code leases it."""
        if self._lease is None:
            raise self._stopped()
        return self._lease(self.user)

    @property
    def actor(self) -> Ref[UserMessage]:
        """The current user actor. Raises `ChildNotRunning` while it restarts."""
        known = self._actor  # every event asks
        if known is None or known.exit_reason is not None:
            known = self._actor = cast(Ref[UserMessage], self.tree.child("outbox"))
        return known

    @property
    def runs(self) -> DynamicSupervisorRef:
        return cast(DynamicSupervisorRef, self.tree.child("runs"))

    @property
    def connections(self) -> DynamicSupervisorRef:
        return cast(DynamicSupervisorRef, self.tree.child("connections"))

    @property
    def tree(self) -> SupervisorRef:
        """The user's supervisor. Raises `SupervisorStopped` after the user was passivated, that
        is to code that outlives its lease."""
        if self._tree is None:
            raise self._stopped()
        return self._tree

    @property
    def is_quiet(self) -> bool:
        """Whether no run goes on or waits, and the sockets have everything that runs emitted."""
        if self.live_runs or len(self.turns) or not self.gauge.is_written:
            return False
        waiting = self.actor.statistics()
        return not (waiting.depth or waiting.in_hand)

    def ask_soon(self, request: Request[R], answered: Callable[[ReplyOutcome[R]], None]) -> None:
        """Ask the user actor without waiting.

        `answered` is called once, with the answer or an error: at once if the actor is restarting
        or does not take the request.
        """
        try:
            reply = self.actor.request(request)
        except (ActorError, SupervisorError) as error:
            answered(outcome.Error(error))
        else:
            reply.then(answered)

    def _stopped(self) -> SupervisorStopped:
        return SupervisorStopped(f"the actors of user {str(self.user)!r} have stopped")

    def cancel(self, run: RunId) -> Reply[None] | None:
        """Cancel a live run of this user, here or at another node; None if there is no such run.

        The reply is set once the run will not go on, whatever happens to the server.
        """
        live = self.live_runs.get(run)
        if live is None and run in self.elsewhere:
            notices = notices_of(self.journal, self.user, What.CANCEL, run)
            return self.journal.append_soon([NotAgain(self.user, run), *notices])
        if live is None:
            return None
        live.cancel()
        if live.goes_on:
            self.stopped.add(run)
            return self.journal.append_soon([NotAgain(self.user, run)])
        reply: Reply[None] = Reply()
        reply.succeed(None)
        return reply

    def cancel_all(self) -> list[Reply[None]]:
        """Cancel all runs of this user, here and elsewhere; their replies, as those of `cancel`."""
        replies = [self.cancel(run) for run in {*self.live_runs, *self.elsewhere}]
        return [each for each in replies if each is not None]

    def forget(self, waiting: WaitingRun) -> None:
        """The run waits no longer."""
        if self.live_runs.get(waiting.run) is waiting:
            del self.live_runs[waiting.run]

    def abandon(self, run: RunId, words: Draft | None) -> None:
        """End a run whose code does not stop, and give its turn to the next run. Without `words`
        a run that goes on stays open, for the next server to take up."""
        self.live_runs.pop(run, None)
        self.turns.leave(run)
        self.leave(run, words)

    def leave(self, run: RunId, words: Draft | None = None) -> None:
        """The run's code is gone. If the run has not ended, the user actor ends it: with `words`,
        or as lost."""
        try:
            self.actor.tell_owed(RunLeft(run, words))
        except SupervisorError:
            return  # the actor's next incarnation finds the run open and not in `live_runs`
