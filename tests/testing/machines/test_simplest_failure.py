"""What `machine_test` tells is the simplest failure of its kind: fewest inputs, simplest values."""

from __future__ import annotations

import enum

import attrs
import pytest
from hypothesis import strategies as st

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, stay
from greenroom.actors.machine.table import On
from greenroom.testing.machines.machine_life import Given, MachineLife, Plan
from greenroom.testing.machines.simplest_failure import Failure

pytestmark = pytest.mark.requirement("R41")


class Shop(enum.Enum):
    OPEN = "open"


@attrs.frozen
class Put:
    key: str


@attrs.frozen
class Get:
    key: str


Shelf = tuple[str, ...]
ShopStep = Step[Shop, Shelf, str]


def put(shelf: Shelf, event: Put) -> ShopStep:
    return stay((*shelf, event.key))


def get(shelf: Shelf, event: Get) -> ShopStep:
    assert event.key not in shelf or len(event.key) < 2, "long keys get lost"
    if event.key == RARE:
        raise KeyError(RARE)
    return stay(shelf)


def something_there(_: enum.Enum, shelf: object) -> st.SearchStrategy[Get]:
    assert isinstance(shelf, tuple)
    return st.builds(Get, st.sampled_from([*shelf, "", "z"]))


RARE = "a key that nobody draws by chance"
SHOP: Machine[Shop, Shelf, str] = Machine(
    name="shop",
    states=Shop,
    initial=Shop.OPEN,
    transitions=[On(Shop.OPEN, Put, put), On(Shop.OPEN, Get, get)],
)
PLAN = Plan(
    machine=SHOP,
    first=st.lists(st.text(max_size=1), max_size=3).map(tuple),
    strategies={
        Put: st.builds(Put, st.text("xy", max_size=4)),
        Get: something_there,
    },
    invariants=(),
    checks=(),
    crash=False,
    refusals=(),
)


def failure(first: Shelf, *events: Put | Get) -> Failure[Shop, Shelf, str]:
    life = MachineLife(PLAN, first)
    life.begin()
    *before, last = events
    for event in before:
        life.undergo(Given(event))
    with pytest.raises((AssertionError, KeyError)) as failed:
        life.undergo(Given(last))
    return Failure.of(life, failed.value)


def test_values_that_must_agree_are_simplified_together() -> None:
    found = failure(("ö", "ä"), Put("y"), Put("xyxy"), Get("y"), Put("xx"), Get("xyxy"))

    simplest = found.simplest(seed=1)

    assert simplest.life.first == ()
    assert simplest.life.inputs == [Given(Put("xx")), Given(Get("xx"))]
    assert str(simplest.error).startswith("long keys get lost"), "the error is that of the simplest"


def test_a_rare_value_stays_and_those_around_it_are_simplified() -> None:
    found = failure(("ö", "ß"), Put("xyxy"), Get(RARE))

    simplest = found.simplest(seed=1)

    assert simplest.life.first == ()
    assert simplest.life.inputs == [Given(Get(RARE))]


def test_the_same_seed_gives_the_same_failure() -> None:
    found = failure((), Put("yyxy"), Get("yyxy"))

    assert found.simplest(seed=5).life.inputs == found.simplest(seed=5).life.inputs
