from __future__ import annotations

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.ref import Ref
from greenroom.supervisor import (
    ChildSpec,
    ChildState,
    DynamicSupervisorRef,
    Restart,
    Strategy,
    SupervisorRef,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    render,
    snapshot,
    supervisor_child,
)
from tests.supervisor.stage import Stage, settle


class Deaf(Actor[str]):
    async def receive(self, message: str) -> None:
        await trio.sleep_forever()


@pytest.mark.requirement("R42")
async def test_the_tree_shows_every_child_with_its_state_restarts_and_mailbox(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    inner = supervisor_child("inner", [actor_child("deaf", Deaf)], strategy=Strategy.REST_FOR_ONE)
    specs = [stage.spec("a"), stage.spec("b"), inner, dynamic_supervisor_child("users")]
    async with open_supervisor("root", specs) as root:
        users, deaf = root.child("users"), root.child("inner")
        assert isinstance(users, DynamicSupervisorRef)
        await users.start_child(stage.spec("alice", restart=Restart.TEMPORARY))
        stage.crash("a")
        await root.terminate_child("b")
        ref = deaf.child("deaf")  # type: ignore[attr-defined]  # a supervisor's ref
        assert isinstance(ref, Ref)
        ref.tell("first")
        await settle()
        ref.tell("second")
        ref.tell("third")
        await trio.sleep(4)
        tree = snapshot(root)

    assert render(tree).splitlines() == [
        "root (one_for_one)",
        "├─ a (1 restarts)",
        "├─ b (stopped)",
        "├─ inner (rest_for_one)",
        "│  └─ deaf (2 waiting)",
        "└─ users (dynamic)",
        "   └─ alice",
    ]
    node = tree.find("root/inner/deaf")
    assert node is not None
    assert node.mailbox is not None
    assert (node.mailbox.depth, node.mailbox.age, node.last_message) == (2, 4.0, "str")
    assert node.uptime == 4.0
    assert (tree.budget, tree.kind, tree.state) == (2, "supervisor", ChildState.RUNNING)


async def test_a_supervisor_is_up_since_its_children_are_also_at_the_root(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(3)
        task_status.started(None)
        await trio.sleep_forever()

    inner = supervisor_child("inner", [ChildSpec("slow", slow)])
    async with open_supervisor("root", [inner, dynamic_supervisor_child("users")]) as root:
        await trio.sleep(100)
        tree = snapshot(root)
        assert [node.uptime for node in tree.walk()] == [100.0] * 4
        below = [root.child("inner"), root.child("users")]
        for ref in below:
            assert isinstance(ref, SupervisorRef)
            assert snapshot(ref).uptime == 100.0

        await root.terminate_child("inner")
        await root.restart_child("inner")
        await trio.sleep(1)
        assert [node.uptime for node in snapshot(root).walk()] == [104.0, 1.0, 1.0, 104.0]
        assert isinstance(below[0], SupervisorRef)
        assert snapshot(below[0]).uptime == 0.0, "it has ended"
    assert snapshot(root).uptime == 0.0


async def test_a_supervisor_that_is_down_shows_no_children(stage: Stage) -> None:
    inner = supervisor_child("inner", [stage.spec("a")])
    async with open_supervisor("root", [inner]) as root:
        await root.terminate_child("inner")
        assert render(snapshot(root)).splitlines() == [
            "root (one_for_one)",
            "└─ inner (stopped)",
        ]
