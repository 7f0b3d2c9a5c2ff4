"""What the tests of `greenroom.asgi` share."""

import pytest

from tests.protocol.server import unnoticed


@pytest.fixture(autouse=True)
def crashes(caplog):
    """What a client does is never an error of the server's. Tests that crash it say so here."""
    yield from unnoticed(caplog)
