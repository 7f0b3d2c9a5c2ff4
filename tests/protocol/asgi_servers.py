"""The same greenroom behind other servers: uvicorn on asyncio or uvloop, anycorn on trio."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
)
from functools import partial
from typing import TypeAlias

import anycorn
import attrs
import trio
import uvicorn

from greenroom import Agent, Runtime, Settings, asgi
from greenroom.delivery.events.policy import Policies
from tests.protocol.server import PATIENT, SECRET, Server, Serving, narrator, serving

OWN = "own"
SERVERS = (OWN, "asyncio", "uvloop", "anycorn")
Found: TypeAlias = "Future[tuple[Runtime, trio.lowlevel.TrioToken]]"
Make: TypeAlias = Callable[["Watched"], Callable[..., object]]
"""Makes the outermost ASGI app, which has the given lifespan."""


@attrs.frozen
class Watched:
    """A lifespan that says which runtime it has opened, and when the app has ended."""

    lifespan: Callable[[object], AbstractAsyncContextManager[Mapping[str, object]]]
    found: Found = attrs.field(factory=Future)

    @asynccontextmanager
    async def __call__(self, app: object) -> AsyncIterator[Mapping[str, object]]:
        async with self.lifespan(app) as state:
            runtime = state["greenroom"]
            if isinstance(runtime, Runtime):
                self.found.set_result((runtime, trio.lowlevel.current_trio_token()))
            else:
                self.found.set_result(await runtime.call(_with_token))
            yield state

    def server(self, port: int) -> Server:
        runtime, token = self.found.result(timeout=30)
        return Server(runtime, port, token)


async def _with_token(runtime: Runtime) -> tuple[Runtime, trio.lowlevel.TrioToken]:
    return runtime, trio.lowlevel.current_trio_token()


def alone(watched: Watched) -> Callable[..., object]:
    """The app by itself."""
    return asgi.app(lifespan=watched, page=False)


def serving_on(kind: str) -> Serving:
    """What serves for the length of a block, on the own server or on another."""
    return serving if kind == OWN else partial(serving_by, kind)


@contextmanager
def serving_by(
    kind: str,
    *,
    agent: Agent = narrator,
    policies: Policies | None = None,
    make: Make = alone,
    send_buffer: int | None = None,
    proxy_headers: bool = True,
    **chosen: object,
) -> Iterator[Server]:
    """Serve for the length of a block by `kind` of server; the other keywords are settings.
    `kind`: anycorn, or a loop of uvicorn, with `+wsproto` for the WebSockets of that package.
    `send_buffer`: bytes that the system may keep for a client of uvicorn; `proxy_headers`: its own
    reading of them."""
    fixed = {"journal": ":memory:", "secret": SECRET, "metrics_open": True, **PATIENT}
    settings = Settings(**{**fixed, **chosen})
    watched = Watched(asgi.lifespan(settings, agent, policies=policies))
    app = make(watched)
    serve = (
        _by_anycorn if kind == "anycorn" else partial(_by_uvicorn, kind, send_buffer, proxy_headers)
    )
    with serve(app) as port:
        server = watched.server(port)
        yield server
        server.run(server.runtime.drain)  # as on SIGTERM, which reaches no server in a thread


@contextmanager
def _by_anycorn(app: Callable[..., object]) -> Iterator[int]:
    started: Future[tuple[int, trio.lowlevel.TrioToken]] = Future()
    stop = trio.Event()
    config = anycorn.Config()
    config.bind = ["127.0.0.1:0"]
    config.graceful_timeout = 5

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            serve = partial(anycorn.serve, app, config, shutdown_trigger=stop.wait)
            (bound,) = await nursery.start(serve)
            port = int(bound.rpartition(":")[2].strip("/"))
            started.set_result((port, trio.lowlevel.current_trio_token()))

    with _in_thread(partial(trio.run, main)):
        port, token = started.result(timeout=30)
        try:
            yield port
        finally:
            token.run_sync_soon(stop.set)


@contextmanager
def _by_uvicorn(
    kind: str, send_buffer: int | None, proxy_headers: bool, app: Callable[..., object]
) -> Iterator[int]:
    loop, _, ws = kind.partition("+")
    config = uvicorn.Config(
        app,
        loop=loop,
        ws=ws or "auto",
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=5,
        proxy_headers=proxy_headers,
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    if send_buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    with listening, _in_thread(partial(server.run, [listening])):
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True


@contextmanager
def _in_thread(run: Callable[[], object]) -> Iterator[None]:
    failed: list[BaseException] = []

    def live() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    thread = threading.Thread(target=live, name="a server of other people")
    thread.start()
    try:
        yield
    finally:
        thread.join(timeout=30)
        assert not thread.is_alive(), "the server does not stop"
    if failed:
        raise failed[0]
