"""An actor that runs the turnstile and keeps what it said, and when."""

from __future__ import annotations

import trio

from greenroom.actors.machine.actor import MachineActor
from tests.actors.machine.turnstile import TURNSTILE, Coin, Gate, Kick, Push, Say


class Turnstile(MachineActor[Coin | Push | Kick, Gate, int, Say]):
    machine = TURNSTILE

    def __init__(self) -> None:
        self.said: list[tuple[float, str]] = []

    def initial_data(self) -> int:
        return 0

    async def perform(self, command: Say) -> None:
        self.said.append((trio.current_time(), command.text))
