"""Reactors: actors whose handlers await nothing, so that many can share one task.

`started` and `stopping` run in a task of its own, as every actor's. Between the two a dispatcher
calls the handlers, in the context of that task, which is parked meanwhile. Where a supervisor runs
the reactor and nothing else is in that task, it ends, and `stopping` gets another one.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import ClassVar, Generic, Protocol, TypeVar

import outcome
import trio

from greenroom.actors.actor import Actor, ActorLife, Resting, SupervisedStart
from greenroom.actors.errors import ActorError
from greenroom.actors.exit import ended_by
from greenroom.actors.guard import is_async
from greenroom.actors.mailbox import Mailbox
from greenroom.actors.probe import NO_PROBE
from greenroom.actors.reactors.dispatcher import BATCH, Dispatcher, default_dispatcher
from greenroom.actors.ref import ActorStopped, Ask

M = TypeVar("M")


class NotAHandler(ActorError, TypeError):
    """A reactor's handler is an async function, which nothing would await."""

    def __init__(self, reactor: type[object], handler: str) -> None:
        super().__init__(
            f"{reactor.__name__}.{handler}() must be a plain function: a reactor awaits nothing",
            advice=f"write `def {handler}`, or derive the class from Actor",
        )


class Occupation(Protocol):
    """What the own task of a reactor does while a dispatcher calls its handlers."""

    async def run(self) -> None:
        """An error ends the reactor. That it returns does not."""

    def interrupt(self, scope: trio.CancelScope) -> None:
        """The reactor has come to its end: cancel the scope that `run` runs in, now or soon."""


class Reactor(Actor[M]):
    """Subclass it and override `handle`, which gets one message at a time, in order of arrival.

    All else is as with an `Actor`: its ref, mailbox, timers, supervision, crash reports. A handler
    must neither block nor take long, since all reactors of a dispatcher wait for it. What it raises
    ends this reactor alone. `batch` messages are handled in a row while others wait.
    `dispatcher`: None for the one of the trio run. With an `occupation`, its task does that.
    """

    batch: ClassVar[int] = BATCH
    dispatcher: Dispatcher | None = None
    occupation: Occupation | None = None
    _plain: ClassVar[tuple[str, ...]] = ("handle", "handle_many")

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Raises `NotAHandler` for a handler that is an async function."""
        super().__init_subclass__(**kwargs)
        for name in cls._plain:
            if is_async(getattr(cls, name)):
                raise NotAHandler(cls, name)

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
            elif (answer := self.handle(message)) is not None:
                self._refuse_coroutine(answer)

    async def receive(self, message: M) -> object:
        """Handle one message without a dispatcher."""
        return self.handle(message)

    async def receive_many(self, messages: deque[M | Ask[object]]) -> None:
        """Handle a batch without a dispatcher."""
        self.handle_many(messages)

    def _handle_ask(self, ask: Ask[object]) -> None:
        try:
            answer = self.handle(ask.request)  # type: ignore[arg-type]  # a Request in M
            self._refuse_coroutine(answer)
        except BaseException as error:
            ask.reply.fail(ActorStopped(self.ref.name, ended_by(error)))
            raise
        ask.reply.succeed(answer)

    def _refuse_coroutine(self, answer: object) -> None:
        """For a handler that does not look like an async function, such as a decorated one."""
        if inspect.iscoroutine(answer):
            answer.close()
            raise NotAHandler(type(self), "handle")

    async def _live(self, life: ActorLife[M]) -> bool:
        cell = ReactorCell(self, life, self.dispatcher or default_dispatcher())
        if self._stop:
            return False
        await trio.lowlevel.checkpoint_if_cancelled()
        occupation, self.occupation = self.occupation, None  # it may know this actor: no cycle
        if occupation is not None:
            await cell.accompany(occupation)
            return False
        if life.start is not None and life.start.may_rest:
            cell.rest(life.start)
            return True
        await cell.park()
        return False


class ReactorCell(Resting, Generic[M]):
    """One life of a reactor in its dispatcher.

    Invariant: while the reactor lives, `_tell` takes its end, which ends the wait of the parked
    task, or the rest. Whatever ends the life takes it away first, so that this happens once, and a
    cell that still waits for its turn does nothing in it.
    """

    __slots__ = (
        "_actor",
        "_attended",
        "_cancelled",
        "_context",
        "_dispatcher",
        "_life",
        "_mailbox",
        "_probe",
        "_ref",
        "_result",
        "_tell",
    )

    def __init__(self, actor: Reactor[M], life: ActorLife[M], dispatcher: Dispatcher) -> None:
        self._actor = actor
        self._ref = actor.ref
        self._mailbox: Mailbox[M | Ask[object]] = actor.ref._mailbox
        self._life = life
        self._probe = life.probe
        self._dispatcher = dispatcher
        self._tell: Callable[[outcome.Outcome[None]], None] | None = None
        self._attended: Callable[[], None] = _takes_no_turn
        self._cancelled = False
        self._result: outcome.Outcome[None] = outcome.Value(None)
        self._context: Context = trio.lowlevel.current_task().context

    @property
    def context(self) -> Context:
        return self._context

    def _begin(self, tell: Callable[[outcome.Outcome[None]], None]) -> None:
        self._tell = tell
        self._ref._hand_over = self._take
        self._attended = partial(self._dispatcher.enqueue, self)
        self._mailbox.attend(self._attended)

    async def park(self) -> None:
        """Wait in the reactor's task until it stops; raises what ended it otherwise."""
        self._begin(partial(trio.lowlevel.reschedule, trio.lowlevel.current_task()))
        await trio.lowlevel.wait_task_rescheduled(self._abort)
        await self._look()

    async def accompany(self, occupation: Occupation) -> None:
        """As `park`, but for something else that is done in the task meanwhile."""
        scope = trio.CancelScope()
        self._begin(partial(self._interrupt, occupation, scope))
        try:
            with scope:
                await occupation.run()
                await trio.sleep_forever()
        except BaseException:
            self._cut()
            self._result.unwrap()  # what a handler raised wins
            raise
        self._result.unwrap()

    def _interrupt(
        self, occupation: Occupation, scope: trio.CancelScope, result: outcome.Outcome[None]
    ) -> None:
        self._result = result
        occupation.interrupt(scope)

    def rest(self, start: SupervisedStart) -> None:
        """Let the task end until the reactor does."""
        self._ref._task = None
        self._begin(self._wake)
        start.rest(self)

    def _wake(self, result: outcome.Outcome[None]) -> None:
        assert self._life.start is not None, "it rests in the life of a child"
        self._result = result
        self._life.start.wake()

    def woken(self) -> None:
        self._cut()

    async def resume(self) -> None:
        await self._life.go_through(self._go_to_its_end())

    async def _go_to_its_end(self) -> bool:
        self._ref._task = trio.lowlevel.current_task()
        result, self._result = self._result, outcome.Value(None)
        result.unwrap()
        await self._look()
        return False

    async def _look(self) -> None:
        if self._cancelled and not self._actor._stop:
            await trio.lowlevel.checkpoint_if_cancelled()

    @trio.lowlevel.enable_ki_protection  # as in a turn: the mailbox is left, and attended again
    def _take(self, message: M) -> bool:
        """Handle a message in the sender's task; False if it must wait for a turn."""
        if not (self._mailbox.awaited and self._dispatcher.lend()):
            return False
        self._react_to(self._mailbox.pass_on(message))
        return True

    def react(self) -> int:
        if self._tell is None:
            return 0
        return self._react_to(self._mailbox.take_nowait(self._actor.batch))

    def _react_to(self, batch: deque[M | Ask[object]]) -> int:
        actor, ref, taken = self._actor, self._ref, len(batch)
        ref._in_turn = True
        try:
            self._context.run(_handle, actor, batch)
        except BaseException as error:  # noqa: BLE001  # raised again in the reactor's task
            ref._in_turn = False
            taken = self._note_handled(batch, taken)
            self._end(outcome.Error(error))
            return taken
        ref._in_turn = False
        if batch or self._probe is not NO_PROBE:
            taken = self._note_handled(batch, taken)
        actor.recent.handled(taken)
        if actor._stop or self._cancelled:
            self._end(outcome.Value(None))
        else:
            self._mailbox.attend(self._attended)
        return taken

    def _note_handled(self, left: deque[M | Ask[object]], taken: int) -> int:
        """`left`: the messages of a batch that were not handled. Returns how many were."""
        handled = taken - len(left)
        self._mailbox.put_back(left)
        self._probe.handled(self._ref.name, handled)
        return handled

    def _end(self, result: outcome.Outcome[None]) -> None:
        tell, self._tell, self._ref._hand_over = self._tell, None, None
        self._attended = _takes_no_turn  # the other one knows this cell
        assert tell is not None, "a life ends once"
        tell(result)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        return trio.lowlevel.Abort.SUCCEEDED if self._cut() else trio.lowlevel.Abort.FAILED

    def _cut(self) -> bool:
        """The reactor is cancelled, or has come to its end. A handler that cancels it comes to its
        end first, and what it raises wins, as in a task: then False."""
        self._cancelled = True
        if self._ref._in_turn:
            return False
        self._tell = self._ref._hand_over = None
        self._attended = _takes_no_turn
        self._mailbox.leave()
        return True


@trio.lowlevel.disable_ki_protection
def _handle(actor: Reactor[M], batch: deque[M | Ask[object]]) -> None:
    """Handlers can be interrupted from the keyboard, as in a task: dispatchers are system tasks."""
    actor.handle_many(batch)


def _takes_no_turn() -> None:
    """Of a cell whose life has not begun, or is over."""
