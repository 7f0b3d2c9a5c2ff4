"""One server for all incidents that need no other, a fresh user for each, and nothing unnoticed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client
from tests.protocol.hours import Hours, hours
from tests.protocol.server import Server, serving, token_for, unnoticed

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a journal on the disk; it outlives every test."""
    journal = tmp_path_factory.mktemp("scenarios") / "journal.db"
    with serving(journal=journal, frames_burst=1_000) as server:
        yield server


@pytest.fixture
def scrape(server: Server) -> Scrape:
    return Scrape(server)


@pytest.fixture
def later() -> Iterator[Hours]:
    """A server of its own, whose time the test makes pass."""
    with hours() as later:
        yield later


@pytest.fixture(autouse=True)
def alarms(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """An error in the log is part of the incident, and told here by its words, or a failure."""
    yield from unnoticed(caplog)


@pytest.fixture
def user() -> str:
    return f"user-{next(_numbers)}"


@pytest.fixture
def connect(server: Server, user: str) -> Iterator[Callable[..., Client]]:
    """Open a socket, not yet ready: this test's user's on the server of all, if not said else."""
    with ExitStack() as sockets:

        def opened(to: Server = server, bearing: str | None = None) -> Client:
            return sockets.enter_context(Client(to.port, bearing or token_for(user)))

        yield opened


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    """A socket of this test's user, ready."""
    client = connect()
    client.hello()
    return client
