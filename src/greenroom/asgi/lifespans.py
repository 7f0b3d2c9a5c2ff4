"""The lifespan of an ASGI app: the runtime opens with the server, and drains before it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeAlias

import attrs
import trio

from greenroom.asgi.drain_first import HeldSignals, signals_held
from greenroom.asgi.ways import TrioWay
from greenroom.delivery.events.policy import Policies
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.run.run import Agent, DescribeError
from greenroom.delivery.user.parts import OnUndelivered, nothing_more
from greenroom.runtime import Runtime, open_runtime
from greenroom.settings import Settings

State: TypeAlias = Mapping[str, object]
Lifespan: TypeAlias = Callable[[object], AbstractAsyncContextManager[State]]
RUNTIME, STATE = "greenroom", "greenroom.asgi"
"""Names in the state of the server's lifespan: the runtime, and the way of requests to it."""


@attrs.frozen
class AppLifespan:
    """What `lifespan` returns: called with an app, it gives the block of the app's life."""

    settings: Settings | None
    agents: Mapping[str, Agent] | Agent | None
    journal: Journal | None
    policies: Policies | None
    on_undelivered: OnUndelivered
    describe_error: DescribeError | None

    def __call__(self, _: object) -> AbstractAsyncContextManager[State]:
        return self._on_trio()

    @asynccontextmanager
    async def _on_trio(self) -> AsyncIterator[State]:
        opening = open_runtime(
            self.settings,
            self.agents,
            journal=self.journal,
            policies=self.policies,
            on_undelivered=self.on_undelivered,
            describe_error=self.describe_error,
        )
        asked = trio.Event()
        wake = partial(trio.lowlevel.current_trio_token().run_sync_soon, asked.set)
        async with opening as runtime, trio.open_nursery() as nursery:
            with signals_held(wake) as held:
                nursery.start_soon(_drain_when_asked, asked, runtime, held)
                yield {RUNTIME: runtime, STATE: TrioWay(runtime)}
            await runtime.drain()
            nursery.cancel_scope.cancel()


async def _drain_when_asked(asked: trio.Event, runtime: Runtime, held: HeldSignals) -> None:
    await asked.wait()
    await runtime.drain()
    held.release()


def lifespan(
    settings: Settings | None = None,
    agents: Mapping[str, Agent] | Agent | None = None,
    *,
    journal: Journal | None = None,
    policies: Policies | None = None,
    on_undelivered: OnUndelivered = nothing_more,
    describe_error: DescribeError | None = None,
) -> Lifespan:
    """The `lifespan` of the outermost ASGI app: `FastAPI(lifespan=greenroom.asgi.lifespan(…))`.

    It takes what `open_runtime` takes. The runtime opens with the server; `request.state.greenroom`
    is it. SIGTERM and SIGINT reach the server once the runtime has drained, as its own server
    does; a second one at once.
    """
    return AppLifespan(settings, agents, journal, policies, on_undelivered, describe_error)
