"""The server as another process sees it: a place where runs begin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import httpx

from greenroom.delivery.events.kinds import JSON, EventClass
from greenroom.delivery.events.policy import Policies, Policy, checked_policies
from greenroom.remote.requests import PATIENCE, Asking, new_key
from greenroom.remote.run import RemoteRun, begin_run


@attrs.frozen
class RemoteServer:
    """A server, made by `connect` and valid inside its block."""

    _requests: Asking

    def run(
        self,
        *,
        user: str,
        thread: str | None = None,
        agent: str = "agent",
        input: JSON = None,  # noqa: A002  # the wire's word
        seconds: float | None = None,
        policy: Policy | Policies | None = None,
        key: str | None = None,
    ) -> AbstractAsyncContextManager[RemoteRun]:
        """Speak to a user: `async with server.run(user="alice", agent="analyst") as run: …`.

        As `Runtime.run`. `key`: an idempotency key. If this process dies and another begins a run
        with the same key, it is the same run, or `RunOver` is raised if that has ended. Raises
        `BadPolicy`, `BadId`, `ValueError`, `OutOfScope`, `NotAnswered`, `BadToken`, and at the end
        `RunTimedOut` or `RunStopped`.
        """
        body = {
            "user": user,
            "thread": thread,
            "agent": agent,
            "input": input,
            "seconds": seconds,
            "policy": policies_json(checked_policies(policy)),
        }
        return begin_run(self._requests, body, key or new_key())


@asynccontextmanager
async def connect(
    url: str, token: str, *, patience: float = PATIENCE
) -> AsyncIterator[RemoteServer]:
    """A server at `url`, for the length of a block, on trio or asyncio.

    `token`: a service token, made by `greenroom token --service`. A request that is not answered
    is repeated for `patience` seconds. Connections are opened when they are needed, and kept.
    """
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    async with httpx.AsyncClient(
        base_url=url, headers=headers, limits=limits, timeout=patience, trust_env=False
    ) as http:
        yield RemoteServer(Asking(http, patience))


def policies_json(policies: Policies) -> JSON:
    """Policies as the server reads them; None for the usual ones."""
    return {
        str(EventClass(each)): _policy_json(policy) for each, policy in policies.items()
    } or None


def _policy_json(policy: Policy) -> JSON:
    return {
        "done": str(policy.done),
        "expires_after": policy.expires_after,
        "dead_letter": policy.dead_letter,
        "level": policy.level,
    }
