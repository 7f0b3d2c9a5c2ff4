"""A service of FastAPI, as `uvicorn tests.face.asgi.service:app` serves it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import MutableMapping

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from greenroom import JSON, Settings, aio, asgi
from tests.protocol.server import SECRET


async def slow(run: aio.Run, said: JSON) -> None:
    """Takes as long as the user says."""
    await run.agent_thinking(text="one moment")
    await asyncio.sleep(float(str(said)))
    await run.final_report(report="done")


settings = Settings(journal=os.environ.get("SERVICE_JOURNAL", ":memory:"), secret=SECRET)
app = FastAPI(lifespan=asgi.lifespan(settings, slow))
app.mount("/greenroom", asgi.app())


def user_of(scope: MutableMapping[str, object]) -> str | None:
    """Users are known by a cookie."""
    return HTTPConnection(scope).cookies.get("user")


app.mount("/by-cookie", asgi.app(authenticate=user_of))
