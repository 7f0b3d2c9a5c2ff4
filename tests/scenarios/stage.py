"""What the incidents are set up with: time that is made to pass, work beside the test, pages."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs
import trio.testing
from websockets.exceptions import ConnectionClosed

from tests.protocol.client import Client, Json
from tests.protocol.server import Server, serving

T = TypeVar("T")

FIVE = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]
"""The events that the first report lost."""


@attrs.frozen
class Hours:
    """A server and its clock: real time, and what the test adds."""

    server: Server
    _clock: trio.testing.MockClock

    def now(self) -> float:
        return self.server.run_sync(trio.current_time)

    def tick(self, seconds: float, client: Client) -> bool:
        """So much later; the client, asked something, is still there. False: it was closed."""
        self.server.run_sync(self._clock.jump, seconds)
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


def begin(server: Server, function: Callable[..., Awaitable[T]], *args: object) -> Future[T]:
    """Have the server's thread do something while the test goes on."""
    done: Future[T] = Future()

    def work() -> None:
        try:
            done.set_result(server.run(function, *args))
        except BaseException as error:  # noqa: BLE001  # raised where the result is asked for
            done.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return done


def kinds(events: list[Json]) -> list[str]:
    return [event["kind"] for event in events]


def offsets(events: list[Json]) -> list[int]:
    return [event["offset"] for event in events]
