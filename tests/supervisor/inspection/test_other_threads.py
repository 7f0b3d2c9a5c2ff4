"""A tree belongs to its trio run: admin calls from another thread are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from greenroom.actors import Actor, link
from greenroom.supervisor import (
    DynamicSupervisorRef,
    Registry,
    StaticSupervisorRef,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
)
from tests.other_threads import refused_in_a_thread, refused_in_another_run
from tests.supervisor.stage import Stage, settle

pytestmark = [pytest.mark.fault("W21"), pytest.mark.requirement("R39")]

STATIC: dict[str, Callable[[StaticSupervisorRef, Stage], object]] = {
    "start_child": lambda root, stage: root.start_child(stage.spec("new")),
    "terminate_child": lambda root, _: root.terminate_child("a"),
    "restart_child": lambda root, _: root.restart_child("a"),
    "delete_child": lambda root, _: root.delete_child("a"),
    "change_specs": lambda root, stage: root.change_specs([stage.spec("new")]),
    "wait_stopped": lambda root, _: root.wait_stopped(),
}
DYNAMIC: dict[str, Callable[[DynamicSupervisorRef, Stage], object]] = {
    "start_child": lambda users, stage: users.start_child(stage.spec("new")),
    "start_child_soon": lambda users, stage: users.start_child_soon(stage.spec("new")),
    "terminate_child": lambda users, _: users.terminate_child("a"),
    "wait_stopped": lambda users, _: users.wait_stopped(),
}


@pytest.mark.parametrize("call", STATIC)
async def test_a_supervisor_takes_no_call_of_another_thread(call: str, stage: Stage) -> None:
    async with open_supervisor("root", [stage.spec("a")]) as root:
        await settle()
        error = await refused_in_another_run(lambda: STATIC[call](root, stage))
        assert "root" in error.message
        assert list(root.children()) == ["a"]
        await root.terminate_child("a")
        await root.restart_child("a")


@pytest.mark.parametrize("call", DYNAMIC)
async def test_a_dynamic_supervisor_takes_no_call_of_another_thread(
    call: str, stage: Stage
) -> None:
    async with open_supervisor("root", [dynamic_supervisor_child("users")]) as root:
        users = root.child("users", DynamicSupervisorRef)
        await users.start_child(stage.spec("a"))
        await refused_in_another_run(lambda: DYNAMIC[call](users, stage))
        assert list(users.children()) == ["a"]
        await users.terminate_child("a")


class Idle(Actor[object]):
    async def receive(self, message: object) -> None: ...


async def test_nothing_is_registered_or_linked_in_another_thread() -> None:
    registry = Registry()
    children = [actor_child("a", Idle), actor_child("b", Idle)]
    async with open_supervisor("root", children) as root:
        one, other = (root.child(id_, Idle) for id_ in "ab")
        await refused_in_a_thread(lambda: registry.register("key", one))
        await refused_in_a_thread(lambda: link(one, other))
        assert "key" not in registry
        registry.register("key", one)
        await root.terminate_child("a")
        assert "key" not in registry
        assert other.exit_reason is None
