"""The agents of a host, made into agents as the runtime knows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias, cast

import attrs
import trio

from greenroom.blocking.run import BlockingRun
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.run import Agent
from greenroom.loading.agent import BadAgent, check_parameters, is_async_function
from greenroom.loading.declaration import declaration_of, declared
from greenroom.portal.border import Border
from greenroom.portal.thread_agent import ThreadAgent

THREADS = 40
"""Runs of agents that are plain functions, at once."""

HostAgent: TypeAlias = Callable[..., object]


@attrs.frozen
class HostAgents:
    """Makes agents: `on_loop` makes one of a coroutine function."""

    border: Border
    on_loop: Callable[[Callable[..., Awaitable[None]]], Agent]
    threads: int

    def made_of(self, given: Mapping[str, HostAgent] | HostAgent | None) -> Mapping[str, Agent]:
        """In the trio thread. Raises `BadAgent`."""
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            given = {getattr(given, "__name__", "agent"): given}
        limiter = trio.CapacityLimiter(self.threads)
        return {name: self._made(each, name, limiter) for name, each in given.items()}

    def _made(self, given: HostAgent, name: str, limiter: trio.CapacityLimiter) -> Agent:
        if not callable(given) or isinstance(given, type):
            raise BadAgent(
                f"agent {name!r} must be a function",
                advice="an agent is `def agent(run, said)` or `async def agent(run, said)`",
            )
        check_parameters(given, f"agent {name!r}")
        declaration = attrs.evolve(declaration_of(given), host="any")  # it is, from here on
        if is_async_function(given):
            function = cast("Callable[..., Awaitable[None]]", given)
            return declared(declaration, self.on_loop(function))
        plain = cast("Callable[[BlockingRun, JSON], None]", given)
        return declared(declaration, ThreadAgent(self.border, limiter, plain))
