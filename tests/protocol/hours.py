"""A server whose time passes when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import trio.testing
from websockets.exceptions import ConnectionClosed

from tests.protocol.client import Client
from tests.protocol.server import Server, serving


@attrs.frozen
class Hours:
    """A server and its clock: real time, and what the test adds."""

    server: Server
    _clock: trio.testing.MockClock

    def now(self) -> float:
        return self.server.run_sync(trio.current_time)

    def jump(self, seconds: float) -> None:
        """So much later than when the server was done with all that it was sent."""

        async def wait() -> None:
            await trio.testing.wait_all_tasks_blocked()
            self._clock.jump(seconds)

        self.server.run(wait)

    def tick(self, seconds: float, client: Client) -> bool:
        """So much later; the client, asked something, is still there. False: it was closed."""
        self.jump(seconds)
        try:
            client.ask("history", id="alive", limit=1)
        except ConnectionClosed:
            return False
        return True

    def pass_by(self, seconds: float, client: Client) -> None:
        """The same second by second, for a client that lives through it."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            assert self.tick(min(1.0, left), client)


@contextmanager
def hours(**chosen: Any) -> Iterator[Hours]:
    """A server whose time can be made to pass; the keywords are those of `serving`."""
    clock = trio.testing.MockClock(rate=1.0)
    with serving(clock=clock, frames_burst=10_000, **chosen) as server:
        yield Hours(server, clock)
