"""What actors and reactors that run a machine have in common: its runner, and asks that wait."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from copy import copy
from functools import partial
from typing import Any, ClassVar, Final, Generic, TypeVar

import attrs

from greenroom.actors.actor import Actor
from greenroom.actors.errors import AskedTwice, MailboxFull
from greenroom.actors.exit import must_go_on
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.runner import MachineRunner, TimerFired, Transition
from greenroom.actors.machine.step import CancelTimer, StartTimer
from greenroom.actors.ref import Ask, Ref, Request

E = TypeVar("E")
S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")
R = TypeVar("R")


@attrs.frozen
class Answer(Generic[R]):
    """The command that answers a `Request` the machine took, now or in a later state.

    gen_statem(3), `reply/2`: for when "the reply cannot be defined in the return value of a state
    callback". `request` must be the object that the machine took, not an equal one: it identifies
    the ask. (An object that is asked again while it waits comes to the machine as a copy.) Does
    nothing if the asker no longer waits.
    """

    request: Request[R]
    value: R


OWN_COMMANDS: Final = frozenset({StartTimer, CancelTimer, Answer})
"""The commands that are not the subclass's."""


class MachineHost(Actor[E | TimerFired], Generic[E, S, D, C]):
    """The base of `MachineActor` and `MachineReactor`. Subclass one of them."""

    machine: Machine[S, D, C]
    runner: MachineRunner[S, D, C]
    max_postponed: ClassVar[int] = 64

    def initial_data(self) -> D:
        """The first data of the machine."""
        raise NotImplementedError(f"{type(self).__name__} has no initial_data()")

    def _begin(self) -> Iterable[C | StartTimer | CancelTimer]:
        """Enter the initial state; returns the commands of that."""
        self._asked: dict[int, Ask[object]] = {}
        self.runner = MachineRunner(
            self.machine,
            self.initial_data(),
            max_postponed=self.max_postponed,
            on_move=partial(_tell_probe, self.ref, self.machine.name),
        )
        return self.runner.start()

    def _commands_of(self, ask: Ask[object]) -> Sequence[C | StartTimer | CancelTimer]:
        """Take an ask, and keep it until its `Answer`; keeping the request prevents reuse of its
        id."""
        if len(self._asked) >= self.capacity and not self._forget_abandoned():
            ask.reply.fail(MailboxFull(f"{self.ref.name!r} owes {len(self._asked)} answers"))
            return ()
        told_apart = self._told_apart(ask.request)
        if told_apart is None:
            ask.reply.fail(AskedTwice(self.ref.name, type(ask.request)))
            return ()
        self._asked[id(told_apart)] = Ask(told_apart, ask.reply)
        return self.runner.handle(told_apart)

    def _told_apart(self, request: Request[object]) -> Request[object] | None:
        """The request, or a copy if an earlier ask of the same object still waits.

        So each `Answer` is for one ask. None if the request cannot be copied.
        """
        if id(request) not in self._asked:
            return request
        try:
            copied = copy(request)
        except BaseException as error:  # the request's own code failed; the asker gets an error
            if must_go_on(error):
                raise
            return None
        return None if id(copied) in self._asked else copied

    def _carry_out(self, command: C | StartTimer | CancelTimer) -> None:
        """Carry out one of the `OWN_COMMANDS`."""
        match command:
            case StartTimer(name, after, TimerFired() as fired):
                self.timers.start(name, after, fired)
            case CancelTimer(name):
                self.timers.cancel(name)
            case Answer(request, value):
                self._give(request, value)

    def _end(self) -> None:
        """The machine is at its end: stop. Raises the error that it stopped with, if any."""
        self.stop()
        if self.runner.error is not None:
            raise self.runner.error

    def _give(self, request: object, value: object) -> None:
        ask = self._asked.pop(id(request), None)
        if ask is not None:
            ask.reply.succeed(value)

    def _forget_abandoned(self) -> bool:
        """Drop the asks whose askers no longer wait; True if that made room."""
        owed = len(self._asked)
        self._asked = {
            key: ask
            for key, ask in self._asked.items()
            if not (ask.reply.is_set or ask.reply.abandoned)
        }
        return len(self._asked) < owed


def _tell_probe(ref: Ref[Any], machine: str, move: Transition) -> None:  # Any: no message is sent
    ref._probe.moved(ref.name, machine, move.old.name, move.event, move.new.name)
