"""Whose turn it is: held to a model, whatever comes and goes."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.user.runs.run_queue import RunQueue, TooManyRuns


class Queueing(RuleBasedStateMachine):
    """The model is a list: those at its front have had their turn and keep it."""

    @initialize(at_once=st.integers(1, 3), waiting=st.integers(0, 3))
    def begin(self, at_once: int, waiting: int) -> None:
        self.queue = RunQueue(at_once, waiting)
        self.going: list[RunId] = []
        self.waiting: list[RunId] = []
        self.count = 0

    @rule()
    def enter(self) -> None:
        self.count += 1
        run = RunId(f"run-{self.count}")
        if len(self.going) < self.queue.at_once:
            self.queue.enter(run)
            self.going.append(run)
        elif len(self.waiting) < self.queue.waiting:
            self.queue.enter(run)
            self.waiting.append(run)
        else:
            with pytest.raises(TooManyRuns):
                self.queue.enter(run)

    @precondition(lambda self: self.going)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.going))
        self.going.remove(run)
        following = self.waiting.pop(0) if self.waiting else None
        assert self.queue.leave(run) == following
        assert self.queue.leave(run) is None, "it has left already"
        if following is not None:
            self.going.append(following)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(run)
        assert self.queue.leave(run) is None

    @invariant()
    def turns_are_the_models(self) -> None:
        assert all(self.queue.has_turn(run) for run in self.going)
        assert not any(self.queue.has_turn(run) for run in self.waiting)
        assert len(self.queue) == len(self.going) + len(self.waiting)


TestQueueing = Queueing.TestCase


def test_being_refused_is_temporary_and_says_when_to_come_again() -> None:
    queue = RunQueue(1, 0)
    queue.enter(RunId("run-1"))
    with pytest.raises(TooManyRuns) as caught:
        queue.enter(RunId("run-2"))
    assert caught.value.temporary
    assert "after a run has ended" in caught.value.advice
