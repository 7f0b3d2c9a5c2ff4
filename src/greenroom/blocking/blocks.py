"""Blocks in synchronous code: what `with` enters here is entered in the trio thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import TypeVar

import outcome

from greenroom.blocking.waiting import Inbox, check_may_wait, cross, ended
from greenroom.delivery.run.run import Run
from greenroom.portal.call import Call, Lane
from greenroom.portal.errors import RunInterrupted
from greenroom.portal.faces.block import BlockFace
from greenroom.portal.held_block import HeldBlock
from greenroom.portal.visit import Visit

T = TypeVar("T")
V = TypeVar("V")


def enter(visit: Visit[T], lane: Lane, what: str) -> T:
    """Enter a block; interrupted meanwhile, it is left again. Raises what entering it raises."""
    try:
        return cross(lane, visit.enter, what)
    except BaseException as error:
        if visit.is_entered:
            leave(visit, lane, error)
        raise


def leave(visit: Visit[T], lane: Lane, error: BaseException | None) -> None:
    """Leave a block by `error`. Raises what leaving it raises, if that is another error."""
    cancelled = isinstance(error, RunInterrupted | GeneratorExit)
    left = partial(visit.leave, None if cancelled else error, cancelled=cancelled)
    cross(Lane(lane.border), left, "the end of the block")


class BlockingBlock(BlockFace[T, V], AbstractContextManager[V]):
    """A block without a scope of its own."""

    def __enter__(self) -> V:
        return self._show(enter(self._visit, self._lane, self._what))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave(self._visit, self._lane, error)


class BlockingRunBlock(AbstractContextManager[V]):
    """The block of a run. If the run is cut, the next call of the run raises `RunInterrupted`, as
    does the one that waits; the end of the block takes that."""

    def __init__(
        self,
        lane: Lane,
        make: Callable[[], AbstractAsyncContextManager[Run]],
        show: Callable[[Run], V],
        what: str,
        *,
        lasts: bool,
    ) -> None:
        self._lane = lane
        self._show = show
        self._what = what
        self._lasts = lasts
        self._held = HeldBlock(make, self._entered, lane.cut)
        self._inbox: Inbox[None] = SimpleQueue()
        self._run: Run | None = None
        # not in the lane of the run itself, which is cut while the block is being left
        outer = lane.parent or Lane(lane.border)
        self._call: Call[None] = Call(self._held.keep, outer, self._ended)

    def __enter__(self) -> V:
        border = self._lane.border
        check_may_wait(border, self._what)
        border.call(self._call, lasts=self._lasts)
        try:
            got = self._inbox.get()
        except BaseException:
            self._leave(RunInterrupted())
            ended(self._call, self._inbox)
            raise
        if self._run is None:
            assert isinstance(got, outcome.Error), "it ended before it was entered"
            got.unwrap()
        return self._show(self._run)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._leave(error)
        ended(self._call, self._inbox).unwrap()
        return isinstance(error, RunInterrupted)

    def _leave(self, error: BaseException | None) -> None:
        cancelled = isinstance(error, RunInterrupted | GeneratorExit)
        given = None if cancelled else error
        self._lane.border.post_if_open(partial(self._left, given, cancelled))

    # In the trio thread

    def _entered(self, result: outcome.Outcome[Run]) -> None:
        self._run = result.unwrap()
        self._inbox.put(outcome.Value(None))

    def _ended(self, result: outcome.Outcome[None]) -> None:
        self._lane.reopen()
        self._inbox.put(result)

    def _left(self, error: BaseException | None, cancelled: bool) -> None:
        self._held.leave(error, cancelled=cancelled)
