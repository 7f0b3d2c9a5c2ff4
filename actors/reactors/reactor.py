"""Reactors: actors whose handlers await nothing, so that many can share one task.

A reactor has a task of its own, as every actor, in which `started` and `stopping` run. Between the
two that task is parked: a dispatcher calls the handlers, in the context of that task.
"""

from __future__ import annotations

from collections import deque
from contextvars import Context
from typing import ClassVar, Generic, TypeVar

import outcome
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.exit import ended_by
from greenroom.actors.probe import Probe
from greenroom.actors.reactors.dispatcher import BATCH, Dispatcher, default_dispatcher
from greenroom.actors.ref import ActorStopped, Ask

M = TypeVar("M")


class Reactor(Actor[M]):
    """Subclass it and override `handle`, which gets one message at a time, in order of arrival.

    All else is as with an `Actor`: its ref, mailbox, timers, supervision, crash reports. A handler
    must neither block nor take long, since all reactors of a dispatcher wait for it. What it raises
    ends this reactor alone. `batch` messages are handled in a row while others wait.
    `dispatcher`: None for the one of the trio run.
    """

    batch: ClassVar[int] = BATCH
    dispatcher: Dispatcher | None = None

    def handle(self, message: M) -> object:
        """Handle one message. What it returns for a `Request` is the answer."""
        raise NotImplementedError(f"{type(self).__name__} has no handle()")

    def handle_many(self, messages: deque[M | Ask[object]]) -> None:
        """Handle a batch. Take messages from the left: what remains counts as not handled."""
        while messages and not self._stop:
            message = messages.popleft()
            self.recent.append(message)
            if isinstance(message, Ask):
                self._handle_ask(message)
            else:
                self.handle(message)

    async def receive(self, message: M) -> object:
        """Handle one message without a dispatcher."""
        return self.handle(message)

    async def receive_many(self, messages: deque[M | Ask[object]]) -> None:
        """Handle a batch without a dispatcher."""
        self.handle_many(messages)

    def _handle_ask(self, ask: Ask[object]) -> None:
        try:
            answer = self.handle(ask.request)  # type: ignore[arg-type]  # a Request in M
        except BaseException as error:
            ask.reply.fail(ActorStopped(self.ref.name, ended_by(error)))
            raise
        ask.reply.succeed(answer)

    async def _live(self, probe: Probe) -> None:
        await ReactorCell(self, probe, self.dispatcher or default_dispatcher()).run()


class ReactorCell(Generic[M]):
    """One life of a reactor in its dispatcher.

    Invariant: while the reactor lives, `_task` is its parked task. Whatever ends the life takes it
    away first, so that the task is woken once, and a cell that still waits for its turn does
    nothing in it.
    """

    __slots__ = ("_actor", "_cancelled", "_dispatcher", "_mailbox", "_probe", "_task", "context")

    def __init__(self, actor: Reactor[M], probe: Probe, dispatcher: Dispatcher) -> None:
        self._actor = actor
        self._probe = probe
        self._dispatcher = dispatcher
        self._mailbox = actor.ref._mailbox
        self._task: trio.lowlevel.Task | None = None
        self._cancelled = False
        self.context: Context = trio.lowlevel.current_task().context

    async def run(self) -> None:
        """Wait in the reactor's task until it stops; raises what ended it otherwise."""
        if not self._actor._stop:
            await trio.lowlevel.checkpoint_if_cancelled()
            self._task = trio.lowlevel.current_task()
            self._mailbox.attend(self._enqueue)
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        if self._cancelled and not self._actor._stop:
            await trio.lowlevel.checkpoint_if_cancelled()

    def react(self) -> int:
        if self._task is None:
            return 0
        batch = self._mailbox.take_nowait(self._actor.batch)
        taken = len(batch)
        error = self._error_of(batch)
        handled = taken - len(batch)
        if error is None:
            self._actor.recent.handled(handled)
        self._mailbox.put_back(batch)
        self._probe.handled(self._actor.ref.name, handled)
        self._go_on(error)
        return handled

    def _error_of(self, batch: deque[M | Ask[object]]) -> BaseException | None:
        """What the handlers raised."""
        ref = self._actor.ref
        ref._in_turn = True
        try:
            self.context.run(_handle, self._actor, batch)
        except BaseException as error:  # noqa: BLE001  # raised again in the reactor's task
            return error
        finally:
            ref._in_turn = False
        return None

    def _go_on(self, error: BaseException | None) -> None:
        if error is not None:
            self._end(outcome.Error(error))
        elif self._actor._stop or self._cancelled:
            self._end(outcome.Value(None))
        else:
            self._mailbox.attend(self._enqueue)

    def _enqueue(self) -> None:
        self._dispatcher.enqueue(self)

    def _end(self, result: outcome.Outcome[None]) -> None:
        task, self._task = self._task, None
        assert task is not None, "a life ends once"
        trio.lowlevel.reschedule(task, result)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        """The reactor is cancelled. A handler that does it itself comes to its end first, and what
        it raises wins, as in a task."""
        if self._actor.ref._in_turn:
            self._cancelled = True
            return trio.lowlevel.Abort.FAILED
        self._task = None
        self._mailbox.leave()
        return trio.lowlevel.Abort.SUCCEEDED


@trio.lowlevel.disable_ki_protection
def _handle(actor: Reactor[M], batch: deque[M | Ask[object]]) -> None:
    """Handlers can be interrupted from the keyboard, as in a task: dispatchers are system tasks."""
    actor.handle_many(batch)
