"""A real greenroom for these tests: in a thread of its own, on 127.0.0.1, with real tokens."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TypeAlias, TypeVar
from urllib.error import HTTPError
from urllib.request import urlopen

import attrs
import jwt
import pytest
import trio

from greenroom import JSON, Agent, Files, Run, Runtime, Settings, agent, open_runtime
from greenroom.delivery.events.policy import Policies
from greenroom.delivery.journal.journal import Journal
from greenroom.supervisor.child_info import ChildState
from greenroom.transport.auth.tokens import Authenticator

SECRET = "a secret of more than thirty-two bytes"
ADMIN = "an-admin-token-of-the-tests-long-enough"
PATIENT = {"redelivery_delay": 60.0, "redelivery_longest": 60.0}  # most clients here never ack
T = TypeVar("T")


def token_for(user: str, *, seconds: float = 3600, secret: str = SECRET, **claims: JSON) -> str:
    """A token as any identity provider would make it; nothing of ours signs it."""
    payload = {"sub": user, "exp": time.time() + seconds, **claims}
    return jwt.encode(payload, secret, algorithm="HS256")


TAKES = Files(types=["text/*"], max_bytes=200_000, most=2)


@agent(takes=("text", TAKES))
async def narrator(run: Run, said: JSON) -> None:
    """Does what the user says. Anything it does not know, it answers with nothing."""
    match said:
        case "everything":
            await tell_everything(run)
        case {"think": int(times)}:
            for number in range(times):
                await run.agent_thinking(text=str(number))
        case {"stream": int(tokens)}:
            await stream(run, tokens)
        case {"shout": int(size)}:
            await run.partial_result(text="x" * size)
        case "tick":
            while True:
                await run.agent_thinking(text="tick")
                await sleep(0.005)
        case "wait":
            await run.agent_thinking(text="waiting")
            await sleep(math.inf)
        case "type":
            run.typing()
        case "read files":
            await tell_of_files(run)
        case "crash":
            raise RuntimeError("boom")


async def sleep(seconds: float) -> None:
    """In trio or asyncio: this agent runs in both."""
    if trio.lowlevel.in_trio_run():
        await trio.sleep(seconds)
    else:
        await asyncio.sleep(seconds if seconds < math.inf else 1e6)


async def stream(run: Run, tokens: int) -> None:
    """Think, answer, look something up amid the answer, and answer on: token by token."""
    async with run.thoughts() as thought:
        for number in range(tokens):
            thought.write(f"t{number} ")
    async with run.text() as text:
        for number in range(2 * tokens):
            if number == tokens:
                async with run.tool("look"):
                    pass
            text.write(f"{number} ")
            await sleep(0.002)


async def tell_of_files(run: Run) -> None:
    """What the user sent: names, and what is in them."""
    read = [[file.name, file.media, await run.read_file(file)] for file in await run.files()]
    told = [[name, media, hashlib.sha256(data).hexdigest()] for name, media, data in read]
    await run.final_report(report=told)


async def tell_everything(run: Run) -> None:
    """Every kind of event that an agent can cause without failing."""
    await run.agent_thinking(text="hm")
    async with run.tool("add", {"a": 1, "b": 1}) as tool:
        tool.result(2)
    with suppress(ZeroDivisionError):
        async with run.tool("divide"):
            raise ZeroDivisionError("by zero")
    await run.partial_result(text="one ")
    await run.partial_result(text="two")
    async with run.sub_run(agent="helper", input="look it up"):
        pass
    await run.final_report(report={"saving": "10%"})


@attrs.frozen
class Footprint:
    """What the process holds: nodes of the supervision tree, trio tasks, open files."""

    tree: frozenset[str]
    tasks: int
    files: int


@attrs.frozen
class Server:
    """The server seen from the test's thread."""

    runtime: Runtime
    port: int
    _token: trio.lowlevel.TrioToken

    def run(self, function: Callable[..., Awaitable[T]], *args: object) -> T:
        """Await something in the server's thread."""
        return trio.from_thread.run(function, *args, trio_token=self._token)

    def run_sync(self, function: Callable[..., T], *args: object) -> T:
        return trio.from_thread.run_sync(function, *args, trio_token=self._token)

    def probe(self, name: str) -> tuple[int, str]:
        """What `GET /name` answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/{name}") as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def wait_until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Return as soon as a condition of the server's holds. Raises `trio.TooSlowError`."""

        async def wait() -> None:
            with trio.fail_after(seconds):
                while not condition():  # noqa: ASYNC110  # a condition of many parts has no event
                    await trio.sleep(0.01)

        self.run(wait)

    def footprint(self) -> Footprint:
        return self.run_sync(footprint, self.runtime)

    def wait_for_footprint(self, expected: Footprint) -> None:
        """Wait until everything is as it was; if it never is, show what is not."""
        deadline = time.monotonic() + 30
        while self.footprint() != expected and time.monotonic() < deadline:
            time.sleep(0.01)  # in this thread: a task that waits would count itself
        assert self.footprint() == expected


def unnoticed(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """A fixture's body: a test fails if its server logs an error whose words it did not announce.

    The client shares the process; its library logs it when a socket is cut under a read.
    """
    expected: list[str] = []
    yield expected
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    errors = [
        record.getMessage()
        for record in records
        if record.levelno >= logging.ERROR and not record.name.startswith("websockets")
    ]
    assert [error for error in errors if not any(part in error for part in expected)] == []


def footprint(runtime: Runtime) -> Footprint:
    tree = frozenset(node.path for node in runtime.tree().walk())
    return Footprint(tree, count_tasks(), len(os.listdir("/proc/self/fd")))


def count_tasks() -> int:
    """How many tasks live, this one aside."""
    waiting = [task] if (task := trio.lowlevel.current_root_task()) else []
    count = 0
    while waiting:
        nurseries = waiting.pop().child_nurseries
        children = [task for nursery in nurseries for task in nursery.child_tasks]
        count += len(children)
        waiting += children
    return count


@contextmanager
def serving(
    on: Journal | None = None,
    *,
    agent: Agent = narrator,
    clock: trio.abc.Clock | None = None,
    policies: Policies | None = None,
    authenticator: Authenticator | None = None,
    sockets: Sequence[socket.socket] = (),
    **chosen: object,
) -> Iterator[Server]:
    """Serve for the length of a block, `on` a journal if given; the other keywords are settings."""
    fixed = {"journal": ":memory:", "port": 0, "secret": SECRET, "metrics_open": True}
    settings = Settings(**{**fixed, **({} if clock else PATIENT), **chosen})
    started: Future[Server] = Future()
    stop = trio.Event()

    async def main() -> None:
        async with open_runtime(settings, agent, journal=on, policies=policies) as runtime:
            port = await runtime.listen(authenticator, page=False, sockets=sockets)
            started.set_result(Server(runtime, port, trio.lowlevel.current_trio_token()))
            await stop.wait()

    def live() -> None:
        try:
            trio.run(main, clock=clock)
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=live, name="greenroom under test")
    thread.start()
    try:
        server = started.result(timeout=30)
        yield server
        server.run_sync(stop.set)
    except BaseException:
        if started.exception() is None:
            started.result().run_sync(stop.set)
        raise
    finally:
        thread.join(timeout=20)
        assert not thread.is_alive(), "the server does not stop"


def is_back(server: Server, user: str) -> bool:
    nodes = [node for node in server.runtime.tree().walk() if f"user:{user}" in node.path]
    return len(nodes) == 4 and all(node.state is ChildState.RUNNING for node in nodes)


Serving: TypeAlias = Callable[..., AbstractContextManager[Server]]
"""Serves for the length of a block, as `serving` or its like on another server."""


def crash_user_actor(server: Server, user: str) -> None:
    (handle,) = (each for each in server.runtime.users.active() if each.user == user)
    handle.actor.tell_owed("no message of a user actor's")  # type: ignore[arg-type]  # the point
