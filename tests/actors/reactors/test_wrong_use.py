"""Mistakes with reactors and dispatchers are refused, or cost no other reactor anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partialmethod

import pytest
import trio
import trio.testing

from greenroom.actors import (
    ActorStopped,
    AskTimeout,
    Dispatcher,
    DispatcherBusy,
    MachineReactor,
    NotAHandler,
    Reactor,
    Ref,
    Request,
    run_actor,
)

pytestmark = [pytest.mark.fault("W21"), pytest.mark.requirement("R39")]

Call = Callable[[], object]


class Ping(Request[str]):
    """Is anybody there?"""


class Caller(Reactor[Call | Ping]):
    """Calls what it is sent."""

    def handle(self, message: Call | Ping) -> str:
        if not isinstance(message, Ping):
            message()
        return "here"


async def start(nursery: trio.Nursery, dispatcher: Dispatcher | None = None) -> Ref[Call | Ping]:
    actor = Caller()
    actor.dispatcher = dispatcher

    async def live(*, task_status: trio.TaskStatus[Ref[Call | Ping]]) -> None:
        await run_actor(actor, name="caller", task_status=task_status)

    ref: Ref[Call | Ping] = await nursery.start(live)
    return ref


# Handlers that nothing would await


async def one(_: object, message: object) -> None:
    """A handler of one message."""


async def many(_: object, messages: deque[object]) -> None:
    """A handler of a batch."""


async def each(_: object, message: object):  # type: ignore[no-untyped-def]  # a mistake
    yield message


@pytest.mark.parametrize(
    ("base", "name", "handler"),
    [
        (Reactor, "handle", one),
        (Reactor, "handle", each),
        (Reactor, "handle_many", many),
        (MachineReactor, "perform", one),
        (MachineReactor, "handle", one),
    ],
)
def test_a_reactor_with_an_async_handler_is_refused_where_its_class_is_written(
    base: type[object], name: str, handler: object
) -> None:
    with pytest.raises(NotAHandler, match=rf"Deaf\.{name}\(\) must be a plain function") as refused:
        type("Deaf", (base,), {name: handler})
    assert refused.value.advice == f"write `def {name}`, or derive the class from Actor"


def test_an_async_handler_of_a_mixin_is_refused_too() -> None:
    class Mixin:
        handle = one

    with pytest.raises(NotAHandler, match=r"Deaf\.handle"):
        type("Deaf", (Mixin, Reactor), {})


class Disguised(Reactor[str | Ping]):
    handle = partialmethod(one)  # type: ignore[assignment]  # a mistake


@pytest.mark.parametrize("asked", [True, False])
async def test_a_disguised_async_handler_ends_its_reactor_with_words(asked: bool) -> None:
    actor = Disguised()

    async def live(*, task_status: trio.TaskStatus[Ref[str | Ping]]) -> None:
        with pytest.raises(NotAHandler, match=r"Disguised\.handle"):
            await run_actor(actor, name="disguised", task_status=task_status)

    async with trio.open_nursery() as nursery:
        ref: Ref[str | Ping] = await nursery.start(live)
        if not asked:
            ref.tell("word")
            return
        with pytest.raises(ActorStopped, match="must be a plain function"):
            await ref.ask(Ping())


# A dispatcher runs once


async def test_a_dispatcher_that_runs_refuses_a_second_task_and_runs_on(
    nursery: trio.Nursery,
) -> None:
    dispatcher = Dispatcher()
    nursery.start_soon(dispatcher.run)
    ref = await start(nursery, dispatcher)
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(DispatcherBusy, match="the dispatcher runs already"):
        await dispatcher.run()
    with pytest.raises(trio.BusyResourceError):
        await dispatcher.run()
    assert await ref.ask(Ping()) == "here"


async def test_a_dispatcher_that_has_ended_may_be_run_by_another_task(
    nursery: trio.Nursery,
) -> None:
    dispatcher = Dispatcher()
    ref = await start(nursery, dispatcher)
    with trio.CancelScope() as scope:
        scope.cancel()
        await dispatcher.run()
    assert not dispatcher.runs
    nursery.start_soon(dispatcher.run)
    assert await ref.ask(Ping()) == "here"


async def test_an_ask_that_no_dispatcher_carries_says_so(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    dispatcher = Dispatcher()
    ref = await start(nursery, dispatcher)
    with pytest.raises(AskTimeout) as silent:
        await ref.ask(Ping(), timeout=1)
    assert silent.value.advice.startswith("its dispatcher does not run")
    nursery.start_soon(dispatcher.run)
    await trio.testing.wait_all_tasks_blocked()
    ref._mailbox.leave()  # as in a handler that takes long
    with pytest.raises(AskTimeout) as slow:
        await ref.ask(Ping(), timeout=1)
    assert slow.value.advice == ""


# A cancel scope that a handler leaves open


async def test_a_scope_that_a_handler_leaves_open_and_cancels_later_ends_no_reactor(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    leaky, neighbour = await start(nursery), await start(nursery)
    scope = trio.CancelScope()
    leaky.tell(scope.__enter__)
    leaky.tell(scope.cancel)
    await trio.testing.wait_all_tasks_blocked()
    assert [await ref.ask(Ping()) for ref in (leaky, neighbour)] == ["here", "here"]
    assert [record.message for record in caplog.records] == ["a handler left a cancel scope open"]


async def test_a_dispatcher_with_a_scope_left_open_can_still_be_cancelled(
    nursery: trio.Nursery,
) -> None:
    dispatcher, scope = Dispatcher(), trio.CancelScope()
    ref = await start(nursery, dispatcher)
    ref.tell(scope.__enter__)

    async def end() -> None:
        await trio.testing.wait_all_tasks_blocked()
        around.cancel()

    with trio.CancelScope() as around:
        nursery.start_soon(end)
        await dispatcher.run()
    assert not dispatcher.runs
