"""What the incidents are set up with: work beside the test, and words for what it sees."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

import pytest

from tests.protocol.client import Json
from tests.protocol.server import Server
from tests.protocol.server import Serving as Serving

T = TypeVar("T")

FIVE = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]
"""The events that the first report lost."""

JUMPS = pytest.mark.own_server("its time is made to pass; an ASGI server has a clock of its own")


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
