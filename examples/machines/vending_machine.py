"""A vending machine that swallows a coin, and how that is found.

The bug is planted: a coin that falls while a bottle does is taken and forgotten.
Run it: `python examples/machines/vending_machine.py`.
"""

from __future__ import annotations

import enum

import attrs

from greenroom.actors import Machine, On, StateTimeout, Step, go, stay
from greenroom.testing import explore

PRICE = 100


class Vending(enum.Enum):
    """What it is doing."""

    IDLE = "idle"
    PAYING = "paying"
    DISPENSING = "dispensing"
    OUT_OF_ORDER = "out of order"


@attrs.frozen
class Till:
    """In cents: what the customer may still spend, what was put in, what it cost or came back."""

    credit: int = 0
    inserted: int = 0
    spent: int = 0
    returned: int = 0


@attrs.frozen
class Coin:
    """Someone puts in this number of cents."""

    cents: int


@attrs.frozen
class Choose:
    """Someone presses the button."""


@attrs.frozen
class Cancel:
    """Someone wants the money back."""


@attrs.frozen
class Dropped:
    """The bottle is out."""


@attrs.frozen
class Jammed:
    """The bottle is stuck."""


@attrs.frozen
class WentAway:
    """The customer did nothing for a while."""


@attrs.frozen
class Drop:
    """Let a bottle fall."""


@attrs.frozen
class Return:
    """Give this number of cents back."""

    cents: int


VendingStep = Step[Vending, Till, Drop | Return]

PATIENCE = StateTimeout(30, WentAway())


def coin(till: Till, event: Coin) -> VendingStep:
    return go(Vending.PAYING, _with(till, event), PATIENCE)


def late_coin(till: Till, event: Coin) -> VendingStep:
    return stay(_with(till, event))


def choose(till: Till, _: Choose) -> VendingStep:
    if till.credit < PRICE:
        return stay(till)
    paid = attrs.evolve(till, credit=till.credit - PRICE, spent=till.spent + PRICE)
    return go(Vending.DISPENSING, _without_credit(paid), Drop(), *_change(paid))


def cancel(till: Till, _: Cancel | WentAway) -> VendingStep:
    return go(Vending.IDLE, _without_credit(till), *_change(till))


def dropped(till: Till, _: Dropped) -> VendingStep:
    return go(Vending.IDLE, attrs.evolve(till, credit=0))  # the planted bug


def dropped_with_late_coins(till: Till, _: Dropped) -> VendingStep:
    return go(Vending.IDLE, _without_credit(till), *_change(till))


def jammed(till: Till, _: Jammed) -> VendingStep:
    refunded = attrs.evolve(till, credit=till.credit + PRICE, spent=till.spent - PRICE)
    return go(Vending.OUT_OF_ORDER, _without_credit(refunded), *_change(refunded))


def _with(till: Till, coin: Coin) -> Till:
    return attrs.evolve(till, credit=till.credit + coin.cents, inserted=till.inserted + coin.cents)


def _without_credit(till: Till) -> Till:
    return attrs.evolve(till, credit=0, returned=till.returned + till.credit)


def _change(till: Till) -> tuple[Return, ...]:
    return (Return(till.credit),) if till.credit else ()


def vending_machine(*, swallows_coins: bool) -> Machine[Vending, Till, Drop | Return]:
    return Machine(
        name="vending",
        states=Vending,
        initial=Vending.IDLE,
        final={Vending.OUT_OF_ORDER},
        transitions=[
            On({Vending.IDLE, Vending.PAYING}, Coin, coin, to={Vending.PAYING}),
            On(Vending.PAYING, Choose, choose, to={Vending.DISPENSING}),
            On(Vending.PAYING, Cancel, cancel, to={Vending.IDLE}),
            On(Vending.PAYING, WentAway, cancel, to={Vending.IDLE}),
            On(Vending.DISPENSING, Coin, late_coin),
            On(
                Vending.DISPENSING,
                Dropped,
                dropped if swallows_coins else dropped_with_late_coins,
                to={Vending.IDLE},
            ),
            On(Vending.DISPENSING, Jammed, jammed, to={Vending.OUT_OF_ORDER}),
        ],
        timers={WentAway: Vending.PAYING},
    )


VENDING = vending_machine(swallows_coins=True)
MENDED = vending_machine(swallows_coins=False)
EVENTS = [Coin(50), Coin(100)]


def no_cent_is_lost(_: Vending, till: Till) -> None:
    """The law of every till."""
    assert till.inserted == till.credit + till.spent + till.returned, f"it does not add up: {till}"


if __name__ == "__main__":
    print(explore(VENDING, Till(), events=EVENTS, depth=5, invariants=[no_cent_is_lost]))
