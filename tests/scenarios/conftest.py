"""One server for all incidents that need no other, a fresh user for each, and nothing unnoticed.

Those marked `every_server` run under uvicorn, too; with `--every-server` all do, and under every
server. What is marked `own_server` says why it cannot.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.face.metrics.scrape import Scrape
from tests.protocol.asgi_servers import OWN, SERVERS, Serving, serving_on
from tests.protocol.client import Client
from tests.protocol.hours import Hours, hours
from tests.protocol.server import Server, token_for, unnoticed

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "serving" in metafunc.fixturenames and (kinds := _kinds(metafunc.definition)):
        metafunc.parametrize("serving", kinds, indirect=True, scope="session")


def _kinds(test: pytest.Item) -> tuple[str, ...]:
    """Of its servers; none: the own one alone."""
    if test.get_closest_marker("own_server"):
        return ()
    if test.config.getoption("--every-server"):
        return SERVERS
    return (OWN, "asyncio") if test.get_closest_marker("every_server") else ()


@pytest.fixture(scope="session")
def serving(request: pytest.FixtureRequest) -> Serving:
    """Serves for the length of a block, by the server that the test runs on."""
    return serving_on(getattr(request, "param", OWN))


@pytest.fixture(scope="session")
def server(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a journal on the disk; it outlives every test."""
    journal = tmp_path_factory.mktemp("scenarios") / "journal.db"
    # sockets wait for their test's crowd before they say hello, and CI is slow
    with serving(journal=journal, frames_burst=1_000, hello_deadline=60.0) as server:
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
