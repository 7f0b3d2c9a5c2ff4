"""An agent that does what front ends must show, by what the user says."""

from __future__ import annotations

import math

from greenroom import JSON, Run
from tests.protocol.server import sleep


async def agent(run: Run, said: JSON) -> None:
    await run.partial_result(text="One ")
    match said:
        case "tools":
            async with run.tool("add", {"a": 1}) as tool:
                tool.result(2)
            try:
                async with run.tool("break"):
                    raise ValueError("secret")
            except ValueError:
                pass
        case "ask":
            sure = await run.ask("Sure?", options=["yes", "no"])
            await run.partial_result(text=str(sure))
        case "name":
            name = await run.ask("Name?", schema={"type": "string"})
            await run.partial_result(text=str(name))
        case "sub-run":
            async with run.sub_run(agent="scout", input="go") as scout:
                await scout.partial_result(text="found ")
                await scout.ask("Deeper?", options=["yes", "no"])
                await scout.partial_result(text="gold")
        case "wait":
            await sleep(math.inf)
        case "crash":
            raise RuntimeError("secret")
        case "flood":
            for _ in range(100):
                await run.partial_result(text="x" * 50_000)
    await run.partial_result(text="two")
