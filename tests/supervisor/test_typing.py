"""The public types, as `mypy --strict` sees them: this file is checked, and it runs."""

from __future__ import annotations

from typing import assert_type

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.ref import Ref
from greenroom.supervisor import (
    ChildSpec,
    DynamicSupervisorRef,
    StaticSupervisorRef,
    SupervisorRef,
    actor_child,
    dynamic_supervisor_child,
    open_dynamic_supervisor,
    open_supervisor,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.errors import UnexpectedChild

pytestmark = pytest.mark.fault("W8")


class Ledger(Actor[int]):
    async def receive(self, message: int) -> None: ...


class Diary(Actor[str]):
    async def receive(self, message: str) -> None: ...


async def listen(*, task_status: trio.TaskStatus[float]) -> None:
    task_status.started(8700.0)
    await trio.sleep_forever()


async def test_specs_children_and_started_values_have_the_type_of_what_they_start_with() -> None:
    """supervisor(3), child_spec(). Beyond OTP: static types."""
    ledger, many = actor_child("ledger", Ledger), dynamic_supervisor_child("many")
    port, below = ChildSpec("port", listen), supervisor_child("below", [])
    assert_type(ledger, ChildSpec[Ref[int]])
    assert_type(port, ChildSpec[float])
    assert_type(task_child("task", trio.sleep_forever), ChildSpec[None])
    assert_type(below, ChildSpec[StaticSupervisorRef])
    async with open_supervisor("root", [ledger, many, port, below]) as root:
        assert_type(root, StaticSupervisorRef)
        assert_type(root.child(ledger), Ref[int])
        assert_type(root.child("ledger", Ledger), Ref[int])
        assert_type(root.child("many", DynamicSupervisorRef), DynamicSupervisorRef)
        assert_type(root.child("ledger"), object)
        assert_type(root.child("port", float), float)
        assert_type(await root.child(many).start_child(actor_child("a", Diary)), Ref[str])
        assert_type(await root.start_child(actor_child("b", Diary)), Ref[str])
        assert root.child(ledger) is root.child("ledger", Ledger)
    async with open_dynamic_supervisor("root") as dynamic:
        assert_type(dynamic, DynamicSupervisorRef)


async def test_a_child_of_another_kind_is_refused_where_it_is_asked_for() -> None:
    """Beyond OTP: a type checker believes what `child(id, kind)` says."""
    async with open_supervisor("root", [actor_child("ledger", Ledger)]) as root:
        assert root.child("ledger", Ref) is root.child("ledger", Ledger)
        for kind in (Diary, SupervisorRef, int):
            with pytest.raises(UnexpectedChild, match=f"'ledger' of 'root'.*{kind.__name__}"):
                root.child("ledger", kind)
