"""An actor and a reactor that run the turnstile and keep what it said, and when."""

from __future__ import annotations

import trio

from greenroom.actors.machine.actor import MachineActor, MachineReactor
from tests.actors.machine.turnstile import TURNSTILE, Coin, Gate, Kick, Push, Say


class Turnstile(MachineActor[Coin | Push | Kick, Gate, int, Say]):
    machine = TURNSTILE

    def __init__(self) -> None:
        self.said: list[tuple[float, str]] = []

    def initial_data(self) -> int:
        return 0

    async def perform(self, command: Say) -> None:
        self.said.append((trio.current_time(), command.text))


class ReactingTurnstile(MachineReactor[Coin | Push | Kick, Gate, int, Say]):
    machine = TURNSTILE

    def __init__(self) -> None:
        self.said: list[tuple[float, str]] = []

    def initial_data(self) -> int:
        return 0

    def perform(self, command: Say) -> None:
        self.said.append((trio.current_time(), command.text))
