"""Servers that follow one another on a socket that outlives them, as under systemd."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio
from trio_websocket import ConnectionClosed

from greenroom.transport.auth.tokens import sign_token
from tests.system.processes import SECRET, Place, eventually
from tests.system.tab import Tab

CALLERS, RESTARTS = 6, 3


@attrs.define
class Caller:
    """Connects again and again, each time as a new tab. Any error is the test's."""

    port: int
    user: str
    stop: bool = False
    readies: int = 0
    is_done: bool = False
    closed: list[str] = attrs.field(factory=list)
    """How it was sent away before it was ready."""

    async def call(self) -> None:
        while not self.stop:
            tab = Tab("127.0.0.1", self.port, sign_token(SECRET, self.user, 600))
            try:
                async with tab.connected():
                    self.readies += 1
            except* ConnectionResetError:  # before it was ready; it must have been said why
                self.closed += [str(frame["code"]) for frame in tab.other] or ["no word"]
            except* ConnectionClosed as group:  # before it said hello
                self.closed += map(repr, group.exceptions)
        self.is_done = True


@pytest.mark.requirement("R27")
async def test_a_port_that_is_handed_over_refuses_and_drops_no_connect_over_restarts(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as listening:
        port = listening.getsockname()[1]
        place = Place(tmp_path, port, "paced_server.py", {}, listening)
        callers = [Caller(port, f"user-{number}") for number in range(CALLERS)]
        with trio.fail_after(240):
            async with trio.open_nursery() as nursery:
                for caller in callers:  # before the first server is there
                    nursery.start_soon(caller.call)
                for number in range(RESTARTS):
                    enough = 20 * (number + 1)
                    await live(place, lambda want=enough: all(c.readies >= want for c in callers))
                for caller in callers:
                    caller.stop = True
                await live(place, lambda: all(caller.is_done for caller in callers))
    closed = [how for caller in callers for how in caller.closed]
    assert [how for how in closed if "1001" not in how] == []


async def live(place: Place, is_over: Callable[[], bool]) -> None:
    """A server from its start to its end, amid calls."""
    async with place.process() as process:
        await process.until_said(f"http://127.0.0.1:{place.port}/")
        await eventually(is_over)
        os.kill(process.handle.pid, signal.SIGTERM)
        assert await process.ended() == 0, process.output.decode()
