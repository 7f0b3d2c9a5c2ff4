"""A front end of this test's user, on each server; the agent is one for front ends."""

from __future__ import annotations

import pytest

from tests.protocol.asgi_servers import OWN, serving_on
from tests.protocol.front_ends.agent import agent
from tests.protocol.front_ends.front_end import FrontEnd


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    serve = serving_on(getattr(request, "param", OWN))
    journal = tmp_path_factory.mktemp("fronts") / "journal.db"
    with serve(journal=journal, agent=agent, drain_seconds=0.1) as server:
        yield server


@pytest.fixture
def page(server, token):
    """This test's user's."""
    return FrontEnd(server.port, {"Authorization": f"Bearer {token}"})
