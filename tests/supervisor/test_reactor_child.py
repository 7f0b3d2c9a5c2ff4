"""A reactor is a child like any other: restarted, reported, measured."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from greenroom.actors import OnRestart, Reactor
from greenroom.supervisor import (
    Intensity,
    actor_child,
    measuring_cpu,
    open_supervisor,
    parent,
    snapshot,
)
from tests.supervisor.stage import Crash, settle

pytestmark = pytest.mark.requirement("R39")


class Diary(Reactor[str]):
    """Fails at the word "fail", and computes at the word "compute"."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def handle(self, message: str) -> None:
        if message == "fail":
            raise Crash(message)
        if message == "compute":
            sum(range(100_000))
        self.lines.append(f"{message} below {parent().path}")


async def test_it_is_restarted_and_its_last_messages_are_reported() -> None:
    spec = actor_child("diary", Diary)
    async with open_supervisor("root", [spec]) as root:
        first = root.child(spec)
        first.tell("last words")
        first.tell("fail")
        await first.wait_stopped()
        await settle()
        assert root.child(spec) is not first
        (report,) = root.crashes()
    assert report.child == "diary"
    assert "last words" in str(report.actor)


async def test_its_kept_mailbox_waits_for_its_next_life() -> None:
    lives: list[Diary] = []

    def make() -> Diary:
        lives.append(Diary())
        return lives[-1]

    spec = actor_child("diary", make, mailbox=OnRestart.KEPT)
    async with open_supervisor("root", [spec], intensity=Intensity(5, 5)) as root:
        ref = root.child(spec)
        ref.tell("fail")
        await settle()
        ref.tell("on")
        await settle()
        assert root.child(spec) is ref
    assert [life.lines for life in lives] == [[], ["on below root"]]


async def test_its_share_of_the_processor_is_its_own() -> None:
    busy, idle = actor_child("busy", Diary), actor_child("idle", Diary)
    async with open_supervisor("root", [busy, idle]) as root:
        with measuring_cpu():
            root.child(busy).tell("compute")
            root.child(idle).tell("nothing much")
            await settle()
            used = {node.path: node.cpu_seconds or 0.0 for node in snapshot(root).walk()}
    assert used["root/busy"] > used["root/idle"] > 0


async def test_its_supervisor_stops_it_and_starts_it_again() -> None:
    diary = Diary()
    spec = actor_child("diary", lambda: diary)
    async with open_supervisor("root", [spec]) as root:
        root.child(spec).tell("one")
        await settle()
        await root.terminate_child("diary")
        await root.restart_child("diary")
        root.child(spec).tell("two")
        await settle()
    assert diary.lines == ["one below root", "two below root"]


async def test_a_supervisor_may_end_while_its_reactor_is_in_its_turn() -> None:
    with trio.CancelScope() as scope:

        class Ender(Reactor[str]):
            def handle(self, message: str) -> None:
                scope.cancel()

        spec = actor_child("ender", Ender)
        async with open_supervisor("root", [spec]) as root:
            root.child(spec).tell("now")
            await trio.sleep_forever()
    assert scope.cancelled_caught
