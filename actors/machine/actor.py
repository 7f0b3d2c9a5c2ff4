"""A machine as an actor: messages are its events, `perform` carries out its commands."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Generic, TypeVar

from greenroom.actors.machine.host import OWN_COMMANDS, Answer, MachineHost
from greenroom.actors.machine.runner import TimerFired
from greenroom.actors.machine.step import CancelTimer, StartTimer
from greenroom.actors.reactors.reactor import Reactor
from greenroom.actors.ref import Ask

__all__ = ["Answer", "MachineActor", "MachineReactor"]

E = TypeVar("E")
S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")


class MachineActor(MachineHost[E, S, D, C], Generic[E, S, D, C]):
    """Subclass it with `machine`, `initial_data` and `perform`. It stops normally in a final state.

    `Stop` ends it in any state, once the step's commands are performed and its answers given:
    normally, or by a crash with the error of the stop, which the supervisor sees. An event that the
    table does not list for the state is a crash too (`UnlistedPair`). Commands are performed one
    after another, before the next event; do long work in another task that tells the result to the
    actor.
    """

    async def perform(self, command: C) -> None:
        """Carry out one command. An exception ends the actor."""
        raise NotImplementedError(f"{type(self).__name__} has no perform()")

    async def started(self) -> None:
        """Enter the initial state. An override must call this."""
        await self._obey(self._begin())

    async def receive(self, message: E | TimerFired) -> None:
        await self._obey(self.runner.handle(message))

    async def _answer(self, ask: Ask[object]) -> None:
        await self._obey(self._commands_of(ask))

    async def _obey(self, commands: Iterable[C | StartTimer | CancelTimer]) -> None:
        for command in commands:
            if type(command) in OWN_COMMANDS:
                self._carry_out(command)
            else:
                await self.perform(command)  # type: ignore[arg-type]  # only C is left
        if self.runner.done:
            self._end()


class MachineReactor(MachineHost[E, S, D, C], Reactor[E | TimerFired], Generic[E, S, D, C]):
    """A machine whose commands await nothing, as a `Reactor`. All else is as for `MachineActor`."""

    _plain = (*Reactor._plain, "perform")

    def perform(self, command: C) -> None:
        """Carry out one command. An exception ends the reactor."""
        raise NotImplementedError(f"{type(self).__name__} has no perform()")

    async def started(self) -> None:
        """Enter the initial state. An override must call this."""
        self._obey(self._begin())

    def handle(self, message: E | TimerFired) -> None:
        self._obey(self.runner.handle(message))

    def _handle_ask(self, ask: Ask[object]) -> None:
        self._obey(self._commands_of(ask))

    def _obey(self, commands: Iterable[C | StartTimer | CancelTimer]) -> None:
        for command in commands:
            if type(command) in OWN_COMMANDS:
                self._carry_out(command)
            else:
                self.perform(command)  # type: ignore[arg-type]  # only C is left
        if self.runner.done:
            self._end()
