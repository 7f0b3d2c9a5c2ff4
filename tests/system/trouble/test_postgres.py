"""A server whose journal is in Postgres, seen from a client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, PostgresServer
from tests.protocol.client import Client, refusal
from tests.protocol.server import serving, token_for
from tests.system.trouble.asking import NOT_KEPT, READY, say, until_ready_says

pytestmark = NEEDS_POSTGRES


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer.alone() as server:
        yield server


def test_a_server_on_postgres_says_when_it_cannot_reach_it_and_its_users_go_on_when_it_can(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenroom.delivery.journal.postgres import journal

    monkeypatch.setattr(journal, "ANSWER_SECONDS", 0.3)
    url = postgres.url("journal")
    with serving(journal=url) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        client.story("one")  # nothing is under way
        postgres.stop()
        assert say(client, "two")["error"] == NOT_KEPT
        assert server.probe("readyz") == (503, "not ready: the journal cannot be reached\n")
        assert refusal(server.port, token_for("bob"))[0] == 503
        postgres.start()
        until_ready_says(server, READY)
        assert say(client, "three")["ok"], "the connection lived on"
    with serving(journal=url) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        page = client.ask("history", id="earlier", limit=100)
        said = [each["data"]["say"] for each in page["events"] if each["kind"] == "user_said"]
        assert said == ["say one", "three"]
