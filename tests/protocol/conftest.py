"""One server for the whole walk-through, and a fresh user for every test.

Tests that are marked `every_server` run against servers of other people, too. The rest is about
bytes and settings that are the own server's affair.
"""

import itertools
from contextlib import ExitStack

import pytest

from tests.protocol.asgi_servers import OWN, SERVERS, serving_on
from tests.protocol.client import Client
from tests.protocol.server import token_for, unnoticed

_numbers = itertools.count(1)

HAS_A_SERVER_OF_ITS_OWN = {"serving", "hours"}


def pytest_generate_tests(metafunc):
    is_marked = metafunc.definition.get_closest_marker("every_server")
    if "server" in metafunc.fixturenames and is_marked and not _has_own_server(metafunc.function):
        metafunc.parametrize("server", SERVERS, indirect=True, scope="session")


def _has_own_server(test):
    return not HAS_A_SERVER_OF_ITS_OWN.isdisjoint(test.__code__.co_names)


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    serve = serving_on(getattr(request, "param", OWN))
    with serve(journal=tmp_path_factory.mktemp("protocol") / "journal.db") as server:
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
