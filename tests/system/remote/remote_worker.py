"""A program to be killed: plain asyncio, it begins a run and speaks without end."""

from __future__ import annotations

import asyncio
import os
import sys

import greenroom.remote


async def main(port: str, user: str) -> None:
    server = greenroom.remote.connect(f"http://127.0.0.1:{port}", os.environ["TOKEN"])
    async with server as there, there.run(user=user, agent="worker") as run, run.tool("count"):
        for number in range(1_000_000):
            await run.agent_thinking(text=str(number))
            print(f"http://{number}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
