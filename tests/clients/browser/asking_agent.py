"""An agent that asks its user."""

from __future__ import annotations

from greenroom import JSON, Run


async def agent(run: Run, said: JSON) -> None:
    sure = await run.ask("Are you sure?", options=["yes", "no"])
    await run.final_report(report=f"You said {sure}.")
