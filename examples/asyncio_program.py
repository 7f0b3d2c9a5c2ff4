"""An asyncio program with an agent, which also speaks to a user on its own.

    python examples/asyncio_program.py

Open the URL it prints, with the token it prints, and say something. Ctrl-C stops it.
"""

from __future__ import annotations

import asyncio
import secrets
import sys

import greenroom
from greenroom import aio
from greenroom.transport.auth.tokens import sign_token

SETTINGS = greenroom.Settings(port=0, journal=":memory:", secret=secrets.token_urlsafe(32))


async def reader(run: aio.Run, said: greenroom.JSON) -> None:
    """Reads slowly, with asyncio's own means; *Stop* cancels it."""
    await run.agent_thinking(text="Reading")
    async with run.text() as text:
        for word in str(said).split():
            text.write(f"{word.upper()} ")
            await asyncio.sleep(0.05)
    await run.final_report(report={"words": len(str(said).split())})


async def main() -> None:
    """Serve until Ctrl-C; with the argument `once`, speak to a user and end."""
    async with aio.open_runtime(SETTINGS, reader) as runtime:
        port = await runtime.listen()
        print(f"http://127.0.0.1:{port}/", sign_token(SETTINGS.secret or "", "alice", 3600))
        async with runtime.run(user="alice", agent="clock") as run:
            receipt = await run.final_report(report="The program has started")
        print(f"event {receipt.offset}: {receipt.kind}")
        if "once" not in sys.argv[1:]:
            await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("stopped")
