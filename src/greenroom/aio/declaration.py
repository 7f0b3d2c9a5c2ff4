"""What an agent declares about its runs: `@greenroom.aio.agent(when_lost="again")`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from greenroom.aio.loop_agent import AioAgent
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import Policy, checked_policies
from greenroom.loading.declaration import TEXT_ONLY, Declaration, Lost, Taken, declared

AgentT = TypeVar("AgentT", bound=AioAgent)


def agent(
    *,
    when_lost: Lost = "end",
    attempts: int = 3,
    policy: Policy | Mapping[EventClass, Policy] | None = None,
    takes: tuple[Taken, ...] = TEXT_ONLY,
) -> Callable[[AgentT], AgentT]:
    """Declare an agent of asyncio: a coroutine function, or a plain function for a thread.

    See `greenroom.agent`. A runtime that cannot run it refuses it. The function itself stays as it
    is. Raises `BadDeclaration` and `BadPolicy`.
    """
    policies = checked_policies(policy)
    return partial(declared, Declaration(when_lost, attempts, policies, "asyncio", takes))
