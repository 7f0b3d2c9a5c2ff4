"""An agent for the page: it asks for a choice, for a form, or for a word."""

from __future__ import annotations

from typing import Literal

import attrs

from greenroom import JSON, AskExpired, Run


@attrs.frozen
class Trip:
    city: str
    nights: int
    room: Literal["single", "double"]
    breakfast: bool
    stops: list[str]
    notes: str | None = None


async def guide(run: Run, said: JSON) -> None:
    match said:
        case "choose":
            report: JSON = await run.ask("Delete 14 files?", options=["yes", "no", {"keep": 3}])
        case "fill in":
            trip = await run.ask("Where to?", answer_type=Trip)
            report = attrs.asdict(trip)
        case "hurry":
            try:
                report = await run.ask("Quick?", options=["now"], expires=0.2)
            except AskExpired:
                report = "too late"
        case "title":
            await run.set_title("Named by the agent")
            report = "done"
        case _:
            report = await run.ask("What is your name?")
    await run.final_report(report=report)
