"""Runs an ASGI application on uvicorn with uvloop, on a port of its own."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

from side_by_side.order import Gate
from side_by_side.peers.conversation import Loop

BACKLOG = 2_048
tasks: set[asyncio.Task[None]] = set()  # asyncio itself keeps weak references only


def spawn(function: Any, *arguments: object) -> None:
    task = asyncio.ensure_future(function(*arguments))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def breathe() -> None:
    """A send returns without a turn of the loop, so one agent would hold up all others."""
    await asyncio.sleep(0)


LOOP = Loop(Gate(asyncio.Event(), asyncio.sleep), asyncio.Event, spawn, breathe)


def serve(application: Any) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    config = uvicorn.Config(application, log_level="critical", loop="uvloop", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])
