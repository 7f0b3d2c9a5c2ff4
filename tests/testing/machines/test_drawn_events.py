"""`machine_test` draws events as their classes take them, or says which strategy to give."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, stay
from greenroom.actors.machine.table import On
from greenroom.testing import MachineFault, explore, machine_test
from tests.testing.machines.turned import QUIET, failure, turn

pytestmark = [pytest.mark.requirement("R41"), pytest.mark.fault("W11")]


class Purse(enum.Enum):
    OPEN = 1


@attrs.frozen
class Coin:
    cents: int = attrs.field(validator=attrs.validators.in_((1, 2, 5, 10)))


RARE = tuple(7**power for power in range(15, 21))
"""Computed: Hypothesis tries the numbers that are written in a program."""


@attrs.frozen
class Token:
    worth: int = attrs.field(validator=[attrs.validators.gt(0), attrs.validators.in_(RARE)])
    for_whom: str
    where: int = attrs.field(default=0, validator=attrs.validators.in_(set(RARE)))


@attrs.frozen
class Note:
    euros: int = attrs.field(validator=[attrs.validators.ge(5), attrs.validators.lt(1000)])


@attrs.frozen
class Even:
    number: int

    def __attrs_post_init__(self) -> None:
        if self.number % 2:
            raise ArithmeticError(f"{self.number} is odd")


@attrs.frozen
class Cheque:
    number: str = attrs.field(validator=attrs.validators.matches_re("CH-[0-9]{12}-[A-Z]{7}"))


@attrs.frozen
class Strict:
    number: int = attrs.field(default=0, validator=attrs.validators.gt(0))


class Handle:
    def __init__(self, untyped) -> None:  # type: ignore[no-untyped-def]  # the point
        self.untyped = untyped


@attrs.frozen
class Handed:
    handle: Callable[[Undrawable], Undrawable]


class Undrawable:
    def __init__(self, hidden: NoSuchType) -> None:  # type: ignore[name-defined]  # noqa: F821
        raise AssertionError("nobody can make one")


def purse_of(*kinds: type[object], seen: list[object] | None = None) -> Machine[Purse, int, str]:
    def take(count: int, event: object) -> Step[Purse, int, str]:
        if seen is not None:
            seen.append(event)
        return stay(min(count + 1, 3))

    rows = [On(Purse.OPEN, kind, take) for kind in kinds]
    return Machine(name="purse", states=Purse, initial=Purse.OPEN, transitions=rows)


def test_events_with_validators_are_drawn_as_they_take_them() -> None:
    seen: list[object] = []

    turn(machine_test(purse_of(Coin, Note, Even, Strict, seen=seen), data=0))

    assert {type(event) for event in seen} == {Coin, Note, Even, Strict}
    assert len({event.number for event in seen if isinstance(event, Even)}) > 3


def test_of_values_that_a_validator_lists_every_one_is_drawn_however_rare() -> None:
    seen: list[object] = []

    turn(machine_test(purse_of(Token, seen=seen), data=0))

    tokens = [event for event in seen if isinstance(event, Token)]
    assert {token.worth for token in tokens} == {token.where for token in tokens} == set(RARE)
    assert len({token.for_whom for token in tokens}) > 1


def test_a_class_with_an_init_of_its_own_is_given_what_that_takes() -> None:
    calls, seen = itertools.count(), list[object]()

    @attrs.define(init=False, eq=False)
    class Own:
        worth: int = attrs.field(validator=attrs.validators.in_(RARE))

        def __init__(self, power: int) -> None:
            if next(calls) % 40 < 39:
                raise ValueError("not yet")
            self.worth = RARE[power % len(RARE)]

    few = settings(QUIET, max_examples=5, stateful_step_count=5)
    turn(machine_test(purse_of(Own, seen=seen), data=0), few)

    assert len(seen) > 5


def test_a_strategy_that_is_registered_for_a_class_is_the_one_that_is_drawn_from() -> None:
    @attrs.frozen
    class Known:
        worth: int = attrs.field(validator=attrs.validators.in_(RARE))

    seen: list[object] = []
    st.register_type_strategy(Known, st.just(Known(RARE[0])))

    turn(machine_test(purse_of(Known, seen=seen), data=0))

    assert set(seen) == {Known(RARE[0])}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Cheque, "Cheque refuses what is drawn from its type hints: ValueError: 'number' must"),
        (Undrawable, "Undrawable cannot be drawn from its type hints: "),
        (Handle, "Handle cannot be drawn from its type hints: "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_class_that_takes_nothing_that_is_drawn_needs_a_strategy_and_the_error_says_so(
    kind: type[object], words: str
) -> None:
    fault = failure(machine_test(purse_of(Coin, kind), data=0))

    assert isinstance(fault, MachineFault)
    assert fault.message.startswith(f"machine 'purse': {words}")
    name = kind.__name__
    assert fault.advice == f"give `events={{{name}: …}}` a strategy for {name}"


def test_a_strategy_that_is_given_is_asked_instead() -> None:
    cheques = st.from_regex("CH-[0-9]{12}-[A-Z]{7}", fullmatch=True)

    turn(machine_test(purse_of(Cheque), data=0, events={Cheque: st.builds(Cheque, cheques)}))


def test_a_failure_is_still_told_by_the_simplest_event_that_its_class_takes() -> None:
    def few(_: Purse, count: int) -> bool:
        return count < 2

    told = "\n".join(failure(machine_test(purse_of(Note), data=0, invariants=[few])).__notes__)

    assert told.count("Note(euros=5)  ·") == 2


def test_exploring_leaves_out_events_whose_defaults_their_class_refuses() -> None:
    found = explore(purse_of(Coin, Strict), 0, events=[Coin(5)])

    assert found.uncovered == ((Purse.OPEN, Strict),)
