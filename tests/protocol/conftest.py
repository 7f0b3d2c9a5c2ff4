"""One server for the whole walk-through, and a fresh user for every test."""

import itertools
from contextlib import ExitStack

import pytest

from tests.protocol.client import Client
from tests.protocol.server import serving, token_for, unnoticed

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(journal=tmp_path_factory.mktemp("protocol") / "journal.db") as server:
        yield server


@pytest.fixture(autouse=True)
def crashes(caplog):
    """What a client does is never an error of the server's. Tests that crash it say so here."""
    yield from unnoticed(caplog)


@pytest.fixture
def user():
    return f"user-{next(_numbers)}"


@pytest.fixture
def token(user):
    return token_for(user)


@pytest.fixture
def connect(server, token):
    """Open a socket; by default this test's user on the server of all tests."""
    with ExitStack() as sockets:

        def opened(to=server, bearing=token, **options):
            return sockets.enter_context(Client(to.port, bearing, **options))

        yield opened


@pytest.fixture
def client(connect):
    """A socket of this test's user, ready."""
    client = connect()
    client.hello()
    return client
