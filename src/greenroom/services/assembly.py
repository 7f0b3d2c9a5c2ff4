"""The parts that programs' requests need, put together from a runtime's."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Final, cast

import attrs

from greenroom.agents import Agents
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import IdSource
from greenroom.delivery.ledger import Ledger
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.users import Users
from greenroom.services.desk import Beginning, RemoteRuns
from greenroom.services.door import ServiceDoor
from greenroom.services.gate import ServiceGate
from greenroom.settings import Settings
from greenroom.settings.keys import authenticator_of
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef, dynamic_supervisor_child
from greenroom.supervisor.errors import AlreadyStarted
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.transport.auth.service_tokens import ServiceAuthenticator
from greenroom.transport.door.front_door import Gate
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.exchange import Answer
from greenroom.transport.programs import Programs
from greenroom.transport.streams import Streams

MOST_EXCHANGES: Final = 4_096
"""Connections of programs, of all services together."""


@attrs.frozen
class Services:
    """What a front door needs for programs."""

    routes: Mapping[str, Handler]
    gate: Gate


def programs_below(root: StaticSupervisorRef, answer: Answer) -> Programs:
    """Serves the connections of programs below the root."""
    return Programs(answer, partial(below, root, "exchanges", MOST_EXCHANGES))


def streams_below(root: StaticSupervisorRef) -> Streams:
    """Serves answers that go on below the root."""
    return Streams(partial(below, root, "streams", math.inf))


def services_of(
    settings: Settings,
    root: StaticSupervisorRef,
    ledger: Ledger,
    *,
    users: Users,
    agents: Agents,
    ids: IdSource,
    draining: Callable[[], bool],
    wall_clock: Callable[[], float],
) -> Services | None:
    """None if the settings turn `/api/` off, or have no key that a token could be checked with."""
    keys = (settings.secret, settings.key_file, settings.jwks_file)
    if settings.api == "off" or not any(keys):
        return None
    tokens = ServiceAuthenticator(authenticator_of(settings, clock=wall_clock))
    rate = settings.api_rate
    gate = ServiceGate(tokens, settings.api == "anywhere", rate, max(1.0, 2 * rate))
    runs = RemoteRuns(
        partial(_begin_run, settings, users, agents, ids),
        partial(below, root, "remote-runs", math.inf),
        draining,
        settings.api_lease,
        settings.api_runs,
    )
    return Services(ServiceDoor(gate, runs, ledger).routes(), gate.refusal)


def _begin_run(
    settings: Settings,
    users: Users,
    agents: Agents,
    ids: IdSource,
    beginning: Beginning,
    say: str | None,
) -> AbstractAsyncContextManager[Run]:
    """Raises `BadId`, and `ValueError` for a limit that the tier does not allow."""
    context = UserContext.new(user=beginning.user, thread=beginning.thread, ids=ids)
    limit = settings.timeouts.run_limit(beginning.seconds)
    return _speak(users, agents, context, beginning, limit, say)


@asynccontextmanager
async def _speak(
    users: Users,
    agents: Agents,
    context: UserContext,
    beginning: Beginning,
    limit: float,
    say: str | None,
) -> AsyncIterator[Run]:
    agent, said, policies = beginning.agent, beginning.input, beginning.policies
    async with (
        users.lease(context.user) as user,
        agents.speak(user, context, agent, said, limit, policies, say) as run,
    ):
        yield run


async def below(root: StaticSupervisorRef, name: str, most_children: float) -> DynamicSupervisorRef:
    """The supervisor of this name below the root, started when it is first needed."""
    if name not in root.children():
        with suppress(AlreadyStarted):  # by another request
            await root.start_child(dynamic_supervisor_child(name, max_children=most_children))
    return cast(DynamicSupervisorRef, root.child(name))
