"""A server whose agent asks what its user tells it to ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.asks.curious_agent import curious
from tests.protocol.client import Client
from tests.protocol.server import Server, serving, token_for


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(agent=curious, frames_burst=1_000, show_errors="text") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A tab of alice, ready."""
    with Client(server.port, token_for("alice")) as client:
        client.hello(features=["asks"])
        yield client


@pytest.fixture
def other(server: Server) -> Iterator[Client]:
    """Another tab of alice, which was there before she was asked."""
    with Client(server.port, token_for("alice")) as client:
        client.hello(features=["asks"])
        yield client
