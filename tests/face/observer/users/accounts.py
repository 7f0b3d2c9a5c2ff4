"""What tests of the observer on users share: a user's run, and an endpoint's answer."""

from __future__ import annotations

from typing import Any

import orjson

from tests.face.http_get import get
from tests.protocol.server import ADMIN, Server

HOSTILE = "<img/src=x/onerror=alert(1)>é"


async def _report(server: Server, user: str, text: str) -> str:
    async with server.runtime.run(user=user, agent="analyst") as run:
        async with run.tool("look_up", {"word": text}) as tool:
            tool.result(text)
        await run.final_report(report=text)
        return run.context.run


def report(server: Server, user: str, text: str = "a secret word") -> str:
    """A run of the user; its id."""
    return server.run(_report, server, user, text)


def asked(server: Server, path: str, token: str = ADMIN) -> Any:
    status, body, _ = get(server, f"/admin/{path}", token)
    assert status == 200, body
    return orjson.loads(body)
