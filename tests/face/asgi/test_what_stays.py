"""What is left of requests that are over, and what asyncio says of them in its debug mode."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from greenroom.asgi.asgi_exchange import AsgiExchange
from tests.protocol.asgi_servers import serving_by
from tests.protocol.client import Client
from tests.protocol.server import token_for
from tests.protocol.without_websocket.events_client import EventsClient, ask


def talk(server, number=0):
    """One of each kind of request, to its end."""
    token = token_for("tom")
    with Client(server.port, token) as client:
        client.hello()
        client.story("everything", id=f"say {number}")
    with EventsClient(server.port, token=token) as client:
        client.post({"type": "history", "id": "1", "limit": 5})
    ask(server.port, "GET", "/livez")
    ask(server.port, "GET", "/live/events")


def exchanges():
    gc.collect()
    return sum(isinstance(each, AsgiExchange) for each in gc.get_objects())


@pytest.mark.parametrize("kind", ["uvloop", "anycorn"])
def test_nothing_stays_of_requests_that_are_over(kind):
    with serving_by(kind) as server:
        talk(server)
        server.wait_until(lambda: exchanges() == 0)
        before = server.footprint()
        for number in range(1, 6):
            talk(server, number)
        server.wait_until(lambda: exchanges() == 0)
        server.wait_until(lambda: server_has(server, before))


def server_has(server, before):
    nodes = frozenset(node.path for node in server.runtime.tree().walk())
    return nodes == before.tree


def test_asyncio_has_nothing_to_say_in_debug_mode(monkeypatch, caplog):
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setattr(asyncio.AbstractEventLoop, "slow_callback_duration", 30.0, raising=False)
    caplog.set_level(logging.WARNING, "asyncio")
    with serving_by("asyncio") as server:
        for number in range(3):
            talk(server, number)
    said = [each.getMessage() for each in caplog.records if each.name == "asyncio"]
    assert [each for each in said if "took" not in each] == []
