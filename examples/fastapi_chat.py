"""A chat in FastAPI: an agent of asyncio, a page to talk to it, and a route that speaks to users.

    pip install greenroom fastapi uvicorn
    uvicorn fastapi_chat:app --app-dir examples

Open http://127.0.0.1:8000/chat/ and say something. `POST /notify/USER` speaks to a user, whether
they are connected or not. Reload amid an answer: nothing is lost. With a `GREENROOM_SECRET` that
stays, pages find their user again after a restart of uvicorn, too.
"""

from __future__ import annotations

import asyncio
import os
import secrets

from fastapi import FastAPI, Request

from greenroom import JSON, Settings, aio, asgi


async def gardener(run: aio.Run, said: JSON) -> None:
    """Thinks, looks something up, asks before it does what cannot be undone, and reports."""
    await run.agent_thinking(text="Which bed could that be?")
    async with run.tool("look_up", {"plant": str(said)}) as tool:
        await asyncio.sleep(0.2)
        tool.result({"bed": 3})
    async with run.text() as text:
        for word in f"{said} grows in bed 3. ".split():
            text.write(f"{word} ")
            await asyncio.sleep(0.05)
    answer = await run.ask(f"Shall I water {said}?", options=["yes", "no"], expires=3600)
    await run.final_report(report={"plant": said, "watered": answer == "yes"})


settings = Settings(
    journal=os.environ.get("CHAT_JOURNAL", "chat.db"),
    secret=os.environ.get("GREENROOM_SECRET") or secrets.token_urlsafe(32),
)
app = FastAPI(lifespan=asgi.lifespan(settings, gardener))
app.mount("/chat", asgi.app(demo=True))


@app.post("/notify/{user}")
async def notify(user: str, text: str, request: Request) -> dict[str, str]:
    """Speak to a user from a route."""
    runtime: aio.Runtime = request.state.greenroom
    async with runtime.run(user=user, agent="notifier") as run:
        await run.final_report(report=text)
    return {"to": user}
