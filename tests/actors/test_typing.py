"""The public types, as `mypy --strict` sees them: this file is checked, and it runs."""

from __future__ import annotations

from typing import assert_type

import trio

from greenroom.actors.actor import Actor, attach
from greenroom.actors.exit import ExitReason
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.runner import MachineRunner, TimerFired
from greenroom.actors.machine.step import CancelTimer, StartTimer, Step
from greenroom.actors.ref import Ref, Request
from greenroom.actors.reply import Reply
from tests.actors.machine.turnstile import TURNSTILE, Coin, Gate, Kick, Push, Say
from tests.actors.machine.turnstile_actor import Turnstile


class Balance(Request[int]):
    pass


class Account(Actor[Balance | str]):
    async def receive(self, message: Balance | str) -> int:
        self.stop()
        return 7


async def test_an_ask_is_typed_by_its_request(nursery: trio.Nursery) -> None:
    ref = attach(Account(), "account")
    assert_type(ref, Ref[Balance | str])
    reply = ref.request(Balance())
    assert_type(reply, Reply[int])
    reply.succeed(7)
    assert_type(await reply.wait(), int)
    assert_type(ref.exit_reason, ExitReason | None)


async def test_a_ref_to_more_serves_where_less_is_told() -> None:
    ref = attach(Account(), "account")
    narrower: Ref[str] = ref

    narrower.tell("hello")

    assert ref.statistics().depth == 1


def test_a_machine_keeps_its_types_through_steps_and_runner() -> None:
    assert_type(TURNSTILE, Machine[Gate, int, Say])
    assert_type(TURNSTILE.step(Gate.LOCKED, 0, Coin()), Step[Gate, int, Say])
    runner = MachineRunner(TURNSTILE, 0)
    assert_type(runner, MachineRunner[Gate, int, Say])
    assert_type(runner.state, Gate)
    assert_type(runner.data, int)
    assert_type(runner.handle(Coin()), list[Say | StartTimer | CancelTimer])


async def test_a_machine_actor_is_told_its_events() -> None:
    ref = attach(Turnstile(), "gate")
    assert_type(ref, Ref[Coin | Push | Kick | TimerFired])
    events: Ref[Coin | Push | Kick] = ref

    events.tell(Coin())

    assert events.statistics().depth == 1
