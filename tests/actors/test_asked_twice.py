"""One request object asked more than once: each ask gets the answer that is meant for it."""

from __future__ import annotations

import enum
from typing import Self

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors.errors import AskedTwice, AskTimeout
from greenroom.actors.machine.actor import Answer, MachineActor
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, stay
from greenroom.actors.machine.table import On
from greenroom.actors.ref import Ref, Request
from tests.actors.conftest import Spawn

pytestmark = [pytest.mark.requirement("R39"), pytest.mark.fault("S4")]


class Counter(enum.Enum):
    OPEN = 1


@attrs.frozen
class Ticket(Request[int]):
    """It has no fields, so that a constant suggests itself."""


class Anonymous(Request[int]):
    """Compared by identity."""


class Sole(Request[int]):
    def __copy__(self) -> Self:
        return self


class Broken(Request[int]):
    def __copy__(self) -> Self:
        raise ZeroDivisionError


@attrs.frozen
class Serve:
    """Answer all who wait: 1 to the first, 2 to the second."""


Asked = tuple[Request[int], ...]
AskStep = Step[Counter, Asked, Answer[int]]


def wait(waiting: Asked, request: Request[int]) -> AskStep:
    return stay((*waiting, request))


def serve(waiting: Asked, _: Serve) -> AskStep:
    return stay((), *(Answer(request, n) for n, request in enumerate(waiting, 1)))


class Clerk(MachineActor[Ticket | Anonymous | Sole | Broken | Serve, Counter, Asked, Answer[int]]):
    machine = Machine(
        name="counter",
        states=Counter,
        initial=Counter.OPEN,
        transitions=[
            *(On(Counter.OPEN, kind, wait) for kind in (Ticket, Anonymous, Sole, Broken)),
            On(Counter.OPEN, Serve, serve),
        ],
    )

    def initial_data(self) -> Asked:
        return ()


@pytest.mark.parametrize("kind", [Ticket, Anonymous])
async def test_one_request_object_asked_by_two_is_answered_to_both_each_its_own(
    kind: type[Ticket | Anonymous], spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    ref: Ref[object] = await spawn(Clerk())
    request = kind()
    replies = [ref.request(request) for _ in range(3)]
    await trio.testing.wait_all_tasks_blocked()

    ref.tell(Serve())

    with trio.fail_after(5):
        assert [await reply.wait() for reply in replies] == [1, 2, 3]


async def test_an_object_asked_again_after_a_time_out_is_answered(
    spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    ref: Ref[object] = await spawn(Clerk())
    request = Ticket()
    with pytest.raises(AskTimeout):
        await ref.ask(request, timeout=1)
    again = ref.request(request)
    await trio.testing.wait_all_tasks_blocked()

    ref.tell(Serve())

    with trio.fail_after(5):
        assert await again.wait() == 2, "1 was for the ask that nobody waits for any more"


async def test_one_object_asked_of_two_actors_is_answered_by_both(spawn: Spawn) -> None:
    request = Ticket()
    refs: list[Ref[object]] = [await spawn(Clerk()), await spawn(Clerk())]
    replies = [ref.request(request) for ref in refs]
    await trio.testing.wait_all_tasks_blocked()

    for ref in refs:
        ref.tell(Serve())

    assert [await reply.wait() for reply in replies] == [1, 1]


@pytest.mark.parametrize("kind", [Sole, Broken])
async def test_the_second_ask_of_an_object_that_has_no_copies_fails_at_once(
    kind: type[Sole | Broken], spawn: Spawn
) -> None:
    ref: Ref[object] = await spawn(Clerk())
    request = kind()
    first = ref.request(request)

    with pytest.raises(AskedTwice, match=f"'it' was asked the same {kind.__name__} twice") as twice:
        await ref.ask(request)

    assert "a new request for each ask" in twice.value.advice
    ref.tell(Serve())
    assert await first.wait() == 1, "the actor lives on"
