"""What the tests of this room share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import trio

from greenroom.actors.actor import Actor, run_actor
from greenroom.actors.probe import NO_PROBE, Probe
from greenroom.actors.ref import Ref

M = TypeVar("M")
Spawn = Callable[..., Awaitable[Ref[object]]]


@pytest.fixture
def spawn(nursery: trio.Nursery) -> Spawn:
    """Start an actor in the test's nursery; its ref. A crash there fails the test."""

    async def start(actor: Actor[M], *, name: str = "it", probe: Probe = NO_PROBE) -> Ref[M]:
        async def run(*, task_status: trio.TaskStatus[Ref[M]]) -> None:
            await run_actor(actor, name=name, probe=probe, task_status=task_status)

        ref: Ref[M] = await nursery.start(run)
        return ref

    return start
