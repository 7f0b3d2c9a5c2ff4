"""The machine the tests of this room turn: locked until paid, broken for good when kicked."""

from __future__ import annotations

import enum

import attrs

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Postpone, StateTimeout, Step, go, stay
from greenroom.actors.machine.table import On


class Gate(enum.Enum):
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    BROKEN = "broken"


@attrs.frozen
class Coin:
    pass


@attrs.frozen
class Push:
    pass


@attrs.frozen
class Kick:
    pass


@attrs.frozen
class TimeIsUp:
    pass


@attrs.frozen
class Say:
    text: str


Coins = int
GateStep = Step[Gate, Coins, Say]


def coin(coins: Coins, _: Coin) -> GateStep:
    return go(Gate.UNLOCKED, coins + 1, StateTimeout(10, TimeIsUp()))


def more_coin(coins: Coins, _: Coin) -> GateStep:
    return stay(coins + 1, Say("thanks"))


def push_locked(coins: Coins, _: Push) -> GateStep:
    return stay(coins, Postpone())


def push_unlocked(coins: Coins, _: Push) -> GateStep:
    return go(Gate.LOCKED, coins, Say("welcome"))


def time_is_up(coins: Coins, _: TimeIsUp) -> GateStep:
    return go(Gate.LOCKED, coins, Say("too late"))


def kick(coins: Coins, _: Kick) -> GateStep:
    return go(Gate.BROKEN, coins, Say("ouch"))


def unlocked(coins: Coins) -> GateStep:
    return stay(coins, Say("open"))


TURNSTILE: Machine[Gate, Coins, Say] = Machine(
    name="turnstile",
    states=Gate,
    initial=Gate.LOCKED,
    final={Gate.BROKEN},
    transitions=[
        On(Gate.LOCKED, Coin, coin, to={Gate.UNLOCKED}),
        On(Gate.UNLOCKED, Coin, more_coin),
        On(Gate.LOCKED, Push, push_locked),
        On(Gate.UNLOCKED, Push, push_unlocked, to={Gate.LOCKED}),
        On(Gate.UNLOCKED, TimeIsUp, time_is_up, to={Gate.LOCKED}),
        On({Gate.LOCKED, Gate.UNLOCKED}, Kick, kick, to={Gate.BROKEN}),
    ],
    on_enter={Gate.UNLOCKED: unlocked},
)
