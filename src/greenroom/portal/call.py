"""One call across the border, and the lanes that calls go in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Generic, Protocol, TypeVar

import attrs
import outcome
import trio

from greenroom.actors.exit import must_go_on
from greenroom.portal.border import Border, Host
from greenroom.portal.errors import RunInterrupted

T = TypeVar("T")


def ignore(_: object) -> None:
    """The answer to a caller that has its answer, has gone, or needs none."""


class WrittenText(Protocol):
    """Text that must be in its stream before the next call of the lane begins."""

    async def settled(self) -> None:
        """Take it, and wait until all of it is there."""


@attrs.define(eq=False)
class Lane:
    """The calls of one run, in order. Once it is cut, each of them is interrupted, and so are those
    of the lanes within it."""

    border: Border
    parent: Lane | None = None
    is_cut: bool = False
    calls: set[Call[object]] = attrs.field(factory=set)
    texts: dict[WrittenText, None] = attrs.field(factory=dict)

    def cut(self) -> None:
        """In the trio thread."""
        self.is_cut = True
        for call in list(self.calls):
            call.interrupt()

    def reopen(self) -> None:
        """The block that was cut has been left: what follows it is not interrupted."""
        self.is_cut = False

    def within(self) -> Lane:
        """A lane in this one, of a sub-run."""
        return Lane(self.border, self)

    @property
    def is_settled(self) -> bool:
        """Whether no text was written before."""
        return not self.texts and (self.parent is None or self.parent.is_settled)

    async def settled(self) -> None:
        """Wait for the text that was written before."""
        for text in list(self.texts):
            await text.settled()
        if self.parent is not None:
            await self.parent.settled()


class Call(Generic[T]):
    """A call of `function` in the trio thread. `answer` is called there with its outcome, once, and
    raises nothing.
    `host`: the loop that its caller waits on, if it is one.

    An interrupted call ends with `RunInterrupted`, if it had not ended before.
    """

    host: Host | None = None
    _scope: trio.CancelScope | None = None
    _interrupted: bool = False  # these three are of the class until they are set: few calls do

    def __init__(
        self,
        function: Callable[[], Awaitable[T]],
        lane: Lane,
        answer: Callable[[outcome.Outcome[T]], object] = ignore,
    ) -> None:
        self.function = function
        self.lane = lane
        self.answer = answer
        self.context: Context = copy_context()

    def enter(self) -> None:
        """It is about to run: in its lane, and those that this one is in."""
        lane: Lane | None = self.lane
        while lane is not None:
            lane.calls.add(self)  # type: ignore[arg-type]  # only interrupted there
            if lane.is_cut:
                self._interrupted = True
            lane = lane.parent

    def ran_by_hand(self) -> bool:
        """In the trio thread: run it without a task, if it can be run so (`EmitCall`)."""
        return False

    async def run(self, scope: trio.CancelScope) -> None:
        """Run it in the task that is here; `scope` is what interrupts it."""
        if self._interrupted:
            self.refuse(interrupted())
            return
        self._scope = scope
        try:
            if not self.lane.is_settled:
                await self.lane.settled()
            result: outcome.Outcome[T] = outcome.Value(await self.function())
        except BaseException as error:
            if must_go_on(error):
                self._was_cancelled()
                raise
            result = outcome.Error(error)
        self.settle(result)

    def _was_cancelled(self) -> None:
        """By `interrupt`, or with the whole run of trio: if that has died, `Border.close` knows of
        what."""
        if self._interrupted:
            self.refuse(interrupted())
        elif self.lane.border.stopping.is_set():
            self.refuse(self.lane.border.reason())

    def interrupt(self) -> None:
        """In the trio thread: cancel it, before it begins or while it runs."""
        self._interrupted = True
        if self._scope is not None:
            self._scope.cancel()

    def refuse(self, error: BaseException) -> None:
        """Answer with this error, unless it was answered."""
        self.settle(outcome.Error(error))

    def settle(self, result: outcome.Outcome[T]) -> None:
        """Answer, unless that was done."""
        lane: Lane | None = self.lane
        while lane is not None:
            lane.calls.discard(self)
            lane = lane.parent
        self.lane.border.calls.discard(self)
        self._scope = None  # it is another call's from now on
        answer, self.answer = self.answer, ignore  # its caller refers to it: a circle
        answer(result)


def interrupted() -> RunInterrupted:
    return RunInterrupted("the call was interrupted")
