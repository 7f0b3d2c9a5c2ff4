"""What is left of actors that ended is given back at once, without the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.errors import OrderlyExit
from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import StateTimeout, Stop, stay
from greenroom.actors.machine.table import On
from greenroom.actors.monitors import link, monitor
from greenroom.actors.ref import ActorStopped, Ref, Request
from greenroom.supervisor import (
    Intensity,
    OnRestart,
    Restart,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.crash.crash_log import LIVE_ERRORS
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef
from tests.supervisor.stage import Crash, settle

pytestmark = pytest.mark.fault("S14")

ENDINGS = ["stop", "exit", "terminate", "kill"]
OFTEN = Intensity(1_000, 60.0)


class Question(Request[str]):
    pass


@attrs.frozen
class Letter:
    text: str


@pytest.fixture(autouse=True)
def uncollected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level("CRITICAL", logger="greenroom.supervisor")  # caplog keeps errors, too
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Tenant(Actor[Letter | Question]):
    """Has all an actor may have: a timer, messages, asks to answer, a neighbour to watch."""

    def __init__(self, watched: list[weakref.ref[object]], neighbour: Ref[object] | None) -> None:
        watched.append(weakref.ref(self))
        self.watched, self.neighbour = watched, neighbour

    async def started(self) -> None:
        self.watched += [weakref.ref(self.ref), weakref.ref(self.ref._mailbox)]
        self.timers.start("never", 1_000, Letter("never"))
        if self.neighbour is not None:
            monitor(self.neighbour, self.ref)  # type: ignore[arg-type]  # no news will come

    async def receive(self, message: Letter | Question) -> str:
        if isinstance(message, Question):
            await trio.sleep_forever()
        elif message.text == "stop":
            self.stop()
        elif message.text == "exit":
            raise OrderlyExit("enough")
        elif message.text == "crash":
            raise Crash("told to")
        return ""


class Neighbour(Actor[object]):
    async def receive(self, message: object) -> None:
        await trio.sleep_forever()


def left(watched: list[weakref.ref[object]]) -> list[str]:
    return [type(each).__name__ for ref in watched if (each := ref()) is not None]


async def ask(ref: Ref[Letter | Question]) -> None:
    with pytest.raises(ActorStopped):
        await ref.ask(Question())


@pytest.mark.parametrize("policy", OnRestart)
@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_actor_that_ended_leaves_nothing_behind(policy: OnRestart, ending: str) -> None:
    watched: list[weakref.ref[object]] = []
    specs = [actor_child("neighbour", Neighbour), dynamic_supervisor_child("tenants")]
    async with open_supervisor("root", specs) as root:
        neighbour, tenants = root.child("neighbour"), root.child("tenants")
        assert isinstance(neighbour, Ref)
        assert isinstance(tenants, DynamicSupervisorRef)

        async def live_and_end() -> None:
            spec = actor_child(
                "tenant",
                lambda: Tenant(watched, neighbour),
                restart=Restart.TEMPORARY,
                mailbox=policy,
                record=9,
                shutdown=0.0 if ending == "kill" else 5.0,
            )
            ref = await tenants.start_child(spec)
            assert isinstance(ref, Ref)
            link(ref, neighbour).unlink()
            async with trio.open_nursery() as nursery:
                if ending in ("terminate", "kill"):
                    nursery.start_soon(ask, ref)
                    await settle()
                ref.tell(Letter(ending))
                for _ in range(3):
                    nursery.start_soon(ask, ref)
                await settle()
                if ending in ("terminate", "kill"):
                    await tenants.terminate_child("tenant")

        await live_and_end()
        await settle()
        assert left(watched) == []


@pytest.mark.parametrize("policy", OnRestart)
async def test_of_crashed_actors_only_those_of_the_newest_reports_stay(policy: OnRestart) -> None:
    """Their live errors hold the frames they came from. A kept ref and its mailbox stay anyway."""
    watched: list[weakref.ref[object]] = []
    spec = actor_child("tenant", lambda: Tenant(watched, None), mailbox=policy, record=9)
    async with open_supervisor("root", [spec], intensity=OFTEN) as root:
        for _ in range(LIVE_ERRORS + 5):
            ref = root.child("tenant")
            assert isinstance(ref, Ref)
            ref.tell(Letter("crash"))
            del ref
            await settle()
        actors = watched[::3]
        assert len(actors) == LIVE_ERRORS + 6
        assert [each() is not None for each in actors] == [False] * 5 + [True] * (LIVE_ERRORS + 1)


class Timed(MachineActor[str, Restart, None, object]):
    machine: Machine[Restart, None, object] = Machine(
        name="timed",
        states=Restart,
        initial=Restart.PERMANENT,
        transitions=[
            On(Restart.PERMANENT, str, lambda data, _: stay(data, Stop()), to={*Restart}),
            *(On(state, int, lambda data, _: stay(data)) for state in Restart),
        ],
        on_enter={Restart.PERMANENT: lambda data: stay(data, StateTimeout(1_000, 1))},
    )

    def initial_data(self) -> None:
        return None


async def test_a_machine_that_stopped_with_its_timers_leaves_nothing_behind() -> None:
    watched: list[weakref.ref[object]] = []

    def make() -> Timed:
        timed = Timed()
        watched.append(weakref.ref(timed))
        return timed

    async with open_supervisor("root", [dynamic_supervisor_child("all")]) as root:
        all_of_them = root.child("all")
        assert isinstance(all_of_them, DynamicSupervisorRef)
        for number in range(3):
            ref = await all_of_them.start_child(
                actor_child(str(number), make, restart=Restart.TEMPORARY)
            )
            assert isinstance(ref, Ref)
            watched.append(weakref.ref(ref))
            ref.tell("stop")
            del ref
            await settle()
        assert left(watched) == []


async def test_a_subtree_that_was_terminated_leaves_nothing_behind() -> None:
    watched: list[weakref.ref[object]] = []
    house = supervisor_child(
        "house",
        [actor_child(str(number), lambda: Tenant(watched, None)) for number in range(3)],
        restart=Restart.TEMPORARY,
    )
    async with open_supervisor("root", [dynamic_supervisor_child("street")]) as root:
        street = root.child("street")
        assert isinstance(street, DynamicSupervisorRef)
        watched.append(weakref.ref(await street.start_child(house)))
        await street.terminate_child("house")
        await settle()
        assert left(watched) == []
