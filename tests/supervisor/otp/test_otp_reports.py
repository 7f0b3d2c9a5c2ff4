"""Error reports: who had the child started, and what the supervisor was doing with it."""

from __future__ import annotations

from contextvars import ContextVar

import orjson
import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.ref import Request
from greenroom.supervisor import (
    DynamicSupervisorRef,
    Intensity,
    Restart,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    parent,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.inspection.as_json import dump_crash, load_crash
from tests.supervisor.stage import Stage, settle

pytestmark = pytest.mark.fault("W6")

caller: ContextVar[str] = ContextVar("caller", default="nobody")


class Start(Request[None]):
    pass


class Clerk(Actor[Start]):
    """Starts a child beside itself, whose own child then fails."""

    async def receive(self, message: Start) -> None:
        caller.set("the clerk")
        many = parent().child("many", DynamicSupervisorRef)
        await many.start_child(supervisor_child("desk", [task_child("work", fails)]))


async def fails() -> None:
    await trio.lowlevel.checkpoint()
    raise ValueError(caller.get())


@pytest.mark.parametrize("soon", [False, True])
@pytest.mark.parametrize("kind", ["static", "dynamic"])
async def test_a_child_has_its_supervisors_context_and_none_of_its_callers(
    kind: str, soon: bool
) -> None:
    """Reference Manual, Processes: a new process has a process dictionary of its own."""
    seen: list[str] = []

    async def look() -> None:
        seen.append(caller.get())
        if len(seen) == 1:
            raise ValueError
        await trio.sleep_forever()

    many = dynamic_supervisor_child("many")
    async with open_supervisor("root", [many]) as root:
        caller.set("whoever calls")
        spec = task_child("a", look, restart=Restart.PERMANENT)
        if kind == "static":
            await root.start_child(spec)
        elif soon:
            root.child(many).start_child_soon(spec)
        else:
            await root.child(many).start_child(spec)
        await settle()
    assert seen == ["nobody", "nobody"]


async def test_a_report_names_who_had_the_child_started_however_far_above() -> None:
    """Beyond OTP: Elixir's Task notes its `$callers`, for whom a stack trace ends too early."""
    many = dynamic_supervisor_child("many", intensity=Intensity(0, 1.0))
    office = supervisor_child("office", [actor_child("clerk", Clerk), many])
    async with open_supervisor("root", [office]) as root:
        clerk = root.child(office).child("clerk", Clerk)
        await clerk.ask(Start())
        await settle()
        first = root.crashes()[0]
    assert first.path == "root/office/many/desk/work"
    assert first.callers == ("root/office/clerk",)
    assert load_crash(dump_crash(first)).callers == first.callers


async def test_who_calls_from_outside_of_the_tree_has_no_name(stage: Stage) -> None:
    """Beyond OTP: the program that runs the tree is no child of it."""
    async with open_supervisor("root", [stage.spec("a")]) as root:
        await root.start_child(stage.spec("b"))
        for id_ in "ab":
            stage.crash(id_)
        await settle()
        assert [report.callers for report in root.crashes()] == [(), ()]


async def test_callers_of_callers_are_named_the_nearest_first() -> None:
    """Beyond OTP: Elixir keeps `$callers` as a list."""
    many = dynamic_supervisor_child("many")

    async def call(id_: str, then: list[str]) -> None:
        if then:
            below = task_child(then[0], lambda: call(then[0], then[1:]), restart=Restart.TEMPORARY)
            await parent().start_child(below)  # type: ignore[attr-defined]  # the dynamic one
            await trio.sleep_forever()
        raise ValueError

    async with open_supervisor("root", [many]) as root:
        await root.child(many).start_child(task_child("a", lambda: call("a", ["b", "c"])))
        await settle()
        (report,) = root.crashes()
    assert (report.path, report.callers) == ("root/many/c", ("root/many/b", "root/many/a"))


@pytest.mark.parametrize("kind", ["static", "dynamic"])
async def test_a_report_tells_what_the_supervisor_was_doing_with_the_child(
    kind: str, stage: Stage
) -> None:
    """supervisor(3), error reports: child_terminated, start_error, shutdown_error."""

    async def fails_when_stopped() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError

    many = dynamic_supervisor_child("many")
    async with open_supervisor("root", [many]) as root:
        supervisor = root if kind == "static" else root.child(many)
        await supervisor.start_child(stage.spec("a", restart=Restart.PERMANENT))
        await supervisor.start_child(task_child("b", fails_when_stopped))
        stage.failing["a"] = 1
        stage.crash("a")
        await settle()
        await supervisor.terminate_child("b")
        assert [(each.child, each.context) for each in root.crashes()] == [
            *(("a", "crash"), ("a", "restart"), ("b", "shutdown"))
        ]


async def test_a_start_that_nobody_waits_for_is_reported_as_one(stage: Stage) -> None:
    """supervisor(3), error reports: start_error."""
    many = dynamic_supervisor_child("many")
    async with open_supervisor("root", [many]) as root:
        stage.failing["a"] = 1
        root.child(many).start_child_soon(stage.spec("a"))
        await settle()
        assert [each.context for each in root.crashes()] == ["start"]


async def test_a_report_of_an_earlier_greenroom_can_be_read(stage: Stage) -> None:
    """Beyond OTP: reports are kept as JSON, to which fields are only ever added."""
    async with open_supervisor("root", [stage.spec("a")]) as root:
        stage.crash("a")
        await settle()
        told = orjson.loads(dump_crash(root.crashes()[0]))
    for new in ("context", "callers"):
        del told["crash"][new]
    old = load_crash(orjson.dumps(told))
    assert (old.context, old.callers) == ("crash", ())
