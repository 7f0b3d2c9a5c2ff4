"""An agent, a route or an authenticator that raises what no program expects, beside other users."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import trio

from greenroom import Run, Settings, connect, open_runtime
from greenroom.delivery.events.kinds import JSON
from greenroom.testing import STRAYS
from greenroom.transport.auth.tokens import Identity, JwtAuthenticator, sign_token
from greenroom.transport.client.client import Client

SECRET = "a secret of more than thirty-two bytes"
SETTINGS = Settings(port=0, journal=":memory:", secret=SECRET)
Failing = Callable[[Run], Awaitable[object]]


async def exits(_: Run) -> NoReturn:
    sys.exit(3)


async def parses_arguments(_: Run) -> None:
    argparse.ArgumentParser().parse_args(["--no-such-option"])


async def runs_asyncio_in_a_thread(_: Run) -> None:
    async def cancelled() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    await trio.to_thread.run_sync(lambda: asyncio.run(cancelled()))


async def exits_in_a_tool(run: Run) -> None:
    async with run.tool("shell"):
        sys.exit(3)


async def exits_in_a_part_of_it(run: Run) -> None:
    async with run.sub_run(agent="scout"):
        sys.exit(3)


async def exits_beside_another_task(_: Run) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        sys.exit(3)


def raising(kind: str) -> Failing:
    async def fail(_: Run) -> NoReturn:
        raise STRAYS[kind]()

    fail.__name__ = kind
    return fail


def in_a_task_of_its_own(kind: str) -> Failing:
    async def raises(run: Run) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raising(kind), run)
            nursery.start_soon(trio.sleep_forever)

    raises.__name__ = f"{kind} in a task of its own"
    return raises


def beside_a_task_of_its_own(kind: str) -> Failing:
    async def raises(_: Run) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise STRAYS[kind]()

    raises.__name__ = f"{kind} beside a task of its own"
    return raises


TRIOS_OWN = {"trio.Cancelled", "Unreadable"}
"""A nursery takes any `Cancelled` for its own; trio reads the traceback of what a task raises."""

FAILING = [
    *(exits, parses_arguments, runs_asyncio_in_a_thread),
    *(exits_in_a_tool, exits_in_a_part_of_it, exits_beside_another_task),
    *map(raising, STRAYS),
    *map(in_a_task_of_its_own, sorted(STRAYS.keys() - TRIOS_OWN)),
    *map(beside_a_task_of_its_own, sorted(STRAYS.keys() - TRIOS_OWN)),
]


def as_user(port: int, user: str) -> Client:
    return connect(f"ws://127.0.0.1:{port}", token=sign_token(SECRET, user, 60))


async def last_of_a_run(client: Client) -> tuple[str, JSON]:
    """The last event of the run that the user's words began."""
    async for event in client.events():
        if event.kind in ("agent_completed", "agent_failed") and event.parent is None:
            return str(event.kind), event.data.get("reason")
    raise AssertionError("the run never ended")


@pytest.mark.fault("D2", "S3")
@pytest.mark.parametrize("fail", FAILING, ids=lambda fail: fail.__name__)
async def test_an_agent_that_raises_anything_fails_its_own_run_and_nobody_elses(
    fail: Failing,
) -> None:
    bob_may_end = trio.Event()

    async def agent(run: Run, said: JSON) -> None:
        if said == "fail":
            await fail(run)
        elif said == "wait":
            await bob_may_end.wait()

    with trio.fail_after(60):
        async with open_runtime(SETTINGS, agent) as runtime:
            port = await runtime.listen()
            async with as_user(port, "alice") as alice, as_user(port, "bob") as bob:
                await bob.say("wait")
                await alice.say("fail")
                assert await last_of_a_run(alice) == ("agent_failed", "crash")
                bob_may_end.set()
                assert await last_of_a_run(bob) == ("agent_completed", None)
                await alice.say("work")
                assert await last_of_a_run(alice) == ("agent_completed", None)
            assert [report.reason.kind.value for report in runtime.crashes()] == ["crashed"]
            assert runtime.restarts == 0


@pytest.mark.fault("D2")
@pytest.mark.parametrize("kind", STRAYS)
async def test_a_route_or_an_authenticator_that_raises_anything_harms_no_other_visitor(
    kind: str,
) -> None:
    class Unsteady(JwtAuthenticator):
        async def authenticate(self, token: str) -> Identity:
            identity = await super().authenticate(token)
            if identity.user == "mallory":
                raise STRAYS[kind]()
            return identity

    async def broken(_: object) -> NoReturn:
        raise STRAYS[kind]()

    async def answer(run: Run, said: JSON) -> None: ...

    with trio.fail_after(60):
        async with open_runtime(SETTINGS, answer) as runtime:
            unsteady = Unsteady.from_secret(SECRET)
            port = await runtime.listen(unsteady, routes={"/broken": broken})
            async with as_user(port, "bob") as bob:
                assert await trio.to_thread.run_sync(status_of, port, "/broken") == 500
                assert (await knock(port)).startswith(b"HTTP/1.1 503 ")
                await bob.say("hello")
                assert await last_of_a_run(bob) == ("agent_completed", None)
            assert runtime.crashes() == ()


async def knock(port: int) -> bytes:
    """Ask for an upgrade as mallory; what comes back until the server drops the socket."""
    head = [
        "GET /live HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {sign_token(SECRET, 'mallory', 60)}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: greenroom.v1",
    ]
    answer = b""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all("".join(f"{line}\r\n" for line in [*head, ""]).encode())
        with contextlib.suppress(trio.BrokenResourceError):
            async for chunk in stream:
                answer += chunk
    return answer


def status_of(port: int, path: str) -> int:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        with refusal:
            return refusal.code
