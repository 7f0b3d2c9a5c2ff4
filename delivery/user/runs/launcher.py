"""Begins the runs of one user that answer the user's messages: each in a task of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import run_completed
from greenroom.delivery.events.ids import EventId, IdSource
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.nodes.notice import Notice, What
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.runs.run_queue import WaitingRun
from greenroom.supervisor.child_spec import Restart, task_child

Converse: TypeAlias = Callable[[UserHandle, UserContext, JSON, RunAttempt], Awaitable[None]]
"""Runs the agent for a user's message, from the first event of the attempt to the last."""

SHUTDOWN_SECONDS = 15.0


def leave_to_workers(user: UserHandle, context: UserContext, _: JSON, __: RunAttempt) -> None:
    """In place of `Launcher.launch`: the run is in the queue since its message was kept."""
    user.elsewhere.add(context.run)
    if (nodes := user.journal.nodes) is not None:
        nodes.send(Notice(user.user, What.RUN_QUEUED))


class Launcher:
    """Launches the runs of one user."""

    def __init__(self, user: UserHandle, converse: Converse, ids: IdSource) -> None:
        self._user = user
        self._converse = converse
        self._ids = ids

    def launch(self, context: UserContext, said: JSON, attempt: RunAttempt) -> None:
        """Begin an attempt when its turn has come. The run must have its place in the user's turns.

        Does not wait. Raises the errors of `start_child_soon`.
        """
        live = self._user.live_runs.get(context.run)  # it may have waited before
        waiting = live if isinstance(live, WaitingRun) else None
        waiting = waiting or WaitingRun(context.run, goes_on=attempt.goes_on)
        run = partial(self._run, waiting, context, said, attempt)
        spec = task_child(context.run, run, restart=Restart.TEMPORARY, shutdown=SHUTDOWN_SECONDS)
        self._user.runs.start_child_soon(spec)
        self._user.live_runs[context.run] = waiting

    async def _run(
        self, waiting: WaitingRun, context: UserContext, said: JSON, attempt: RunAttempt
    ) -> None:
        user, words = self._user, None
        try:
            async with user.leased() as leased:
                await self._wait(waiting, attempt.after)
                if waiting.cancelled:
                    event = self._ids.new(EventId)
                    words = run_completed(event=event, run=context, outcome="cancelled")
                elif not waiting.scope.cancel_called:
                    await self._converse(leased, context, said, attempt)
        finally:
            user.forget(waiting)
            user.turns.leave(context.run)
            user.leave(context.run, words)  # the run may not even have begun

    async def _wait(self, waiting: WaitingRun, after: float) -> None:
        """Wait for the run's turn and time, or until the run is stopped."""
        try:
            with waiting.scope:
                await self._user.turns.wait(waiting.run)
                if after:
                    await waiting.wait(after)
        finally:
            self._user.forget(waiting)
