"""What tests of a journal in trouble ask of its server."""

from __future__ import annotations

import time

from tests.protocol.client import Client
from tests.protocol.server import Server

READY = (200, "ready\n")
NOT_KEPT = {"code": 4105, "message": "the server could not keep it", "temporary": True}


def until_ready_says(server: Server, expected: tuple[int, str]) -> None:
    """The journal's thread looks four times a second."""
    end = time.monotonic() + 30
    while (said := server.probe("readyz")) != expected:
        assert time.monotonic() < end, f"/readyz still says {said}"
        time.sleep(0.01)


def say(client: Client, id_: str, body: str = "hello") -> dict[str, object]:
    client.send("say", id=id_, body=body)
    return client.take("reply", id=id_)
