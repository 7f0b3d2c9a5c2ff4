"""The lifespan of an ASGI app: the runtime opens with the server, and drains before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeAlias, cast

import attrs
import trio

from greenroom.aio.loop_agent import AioAgent
from greenroom.aio.opening import open_runtime as open_aio_runtime
from greenroom.aio.run import AioRun
from greenroom.aio.runtime import AioRuntime
from greenroom.asgi.drain_first import HeldSignals, signals_held
from greenroom.asgi.server_loop import AsyncioSignal
from greenroom.asgi.ways import PortalWay, TrioWay
from greenroom.delivery.events.policy import Policies
from greenroom.delivery.run.run import Agent, DescribeError
from greenroom.delivery.user.parts import OnUndelivered, nothing_more
from greenroom.runtime import Runtime, open_runtime
from greenroom.settings import Settings

AnyAgent: TypeAlias = Agent | AioAgent
"""An agent of the server's world: trio's, or asyncio's."""

AioDescribe: TypeAlias = Callable[[BaseException, AioRun], str]
Describe: TypeAlias = DescribeError | AioDescribe
AioAgents: TypeAlias = Mapping[str, AioAgent] | AioAgent
TrioAgents: TypeAlias = Mapping[str, Agent] | Agent
State: TypeAlias = Mapping[str, object]
Lifespan: TypeAlias = Callable[[object], AbstractAsyncContextManager[State]]
RUNTIME, STATE = "greenroom", "greenroom.asgi"
"""Names in the state of the server's lifespan: the runtime, and the way of requests to it."""


@attrs.frozen
class AppLifespan:
    """What `lifespan` returns: called with an app, it gives the block of the app's life."""

    settings: Settings | None
    agents: Mapping[str, AnyAgent] | AnyAgent | None
    policies: Policies | None
    on_undelivered: OnUndelivered
    describe_error: Describe | None

    def __call__(self, _: object) -> AbstractAsyncContextManager[State]:
        return self._on_trio() if trio.lowlevel.in_trio_run() else self._on_asyncio()

    @asynccontextmanager
    async def _on_trio(self) -> AsyncIterator[State]:
        opening = open_runtime(
            self.settings,
            cast("TrioAgents | None", self.agents),
            policies=self.policies,
            on_undelivered=self.on_undelivered,
            describe_error=cast("DescribeError | None", self.describe_error),
        )
        asked = trio.Event()
        wake = partial(trio.lowlevel.current_trio_token().run_sync_soon, asked.set)
        async with opening as runtime, trio.open_nursery() as nursery:
            with signals_held(wake) as held:
                nursery.start_soon(_drain_when_asked, asked, runtime, held)
                yield {RUNTIME: runtime, STATE: TrioWay(runtime)}
            await runtime.drain()
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def _on_asyncio(self) -> AsyncIterator[State]:
        opening = open_aio_runtime(
            self.settings,
            cast("AioAgents | None", self.agents),
            policies=self.policies,
            on_undelivered=self.on_undelivered,
            describe_error=cast("AioDescribe | None", self.describe_error),
        )
        asked = AsyncioSignal()
        async with opening as runtime:
            with signals_held(asked.set) as held:
                draining = asyncio.ensure_future(_drain_when_asked(asked, runtime, held))
                try:
                    yield {RUNTIME: runtime, STATE: PortalWay(runtime._far, runtime._lane.border)}
                finally:
                    draining.cancel()
            await runtime.drain()


async def _drain_when_asked(
    asked: trio.Event | AsyncioSignal, runtime: Runtime | AioRuntime, held: HeldSignals
) -> None:
    await asked.wait()
    try:
        await runtime.drain()
    finally:
        held.release()


def lifespan(
    settings: Settings | None = None,
    agents: Mapping[str, AnyAgent] | AnyAgent | None = None,
    *,
    policies: Policies | None = None,
    on_undelivered: OnUndelivered = nothing_more,
    describe_error: Describe | None = None,
) -> Lifespan:
    """The `lifespan` of the outermost ASGI app: `FastAPI(lifespan=greenroom.asgi.lifespan(…))`.

    It takes what `open_runtime` takes. The runtime opens with the server; `request.state.greenroom`
    is it. SIGTERM and SIGINT reach the server once the runtime has drained, as its own server
    does; a second one at once.
    """
    return AppLifespan(settings, agents, policies, on_undelivered, describe_error)
