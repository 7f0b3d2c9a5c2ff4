"""A server whose agent goes on after it was lost, and kills the process where its user says.

What is said is `{"die": {"1": "before"}}`: in attempt 1 it dies at the place `before`. The ledger
has a line for each thing done, so that a test can tell how often it was.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from functools import partial

import trio

import greenroom
from greenroom.delivery.events.going_on import StepResult
from greenroom.delivery.run.attempts.steps import Steps
from tests.system.processes import serve

LEDGER = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
ATTEMPTS = int(os.environ.get("ATTEMPTS", "3"))

dies_at: dict[int, str] = {}
"""Set by the run that is at work; there is one at a time."""


def note(what: str, run: greenroom.Run) -> None:
    os.write(LEDGER, f"{what} {run.context.run} {run.attempt}\n".encode())


def die_at(place: str, attempt: int) -> None:
    if dies_at.get(attempt) == place:
        os.kill(os.getpid(), signal.SIGKILL)


class DeadlySteps(Steps):
    """Dies once the result of a step is durable, before the agent hears of it."""

    async def _keep(self, result: StepResult) -> None:
        await super()._keep(result)
        die_at("kept", int(result.value.removeprefix('{"payment":"pay_').removesuffix('"}')))


async def charge(run: greenroom.Run) -> dict[str, str]:
    die_at("called", run.attempt)
    await trio.sleep(0.01)
    note("charged", run)
    die_at("acted", run.attempt)
    return {"payment": f"pay_{run.attempt}"}


@greenroom.agent(when_lost="again", attempts=ATTEMPTS)
async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    assert isinstance(said, Mapping)
    deaths = said.get("die", {})
    assert isinstance(deaths, Mapping)
    dies_at.clear()
    dies_at.update({int(attempt): str(place) for attempt, place in deaths.items()})
    note("began", run)
    async with run.tool("pay"), run.sub_run(agent="payer") as payer:
        await payer.agent_thinking(text="how much?")
        await run.partial_result(text=f"attempt {run.attempt} ")
        die_at("before", run.attempt)
        if said.get("hang"):
            await hang(shielded=bool(said.get("shielded")))
        run._steps = DeadlySteps(run._emitter)
        paid = await run.step("charge", partial(charge, run))
        die_at("after", run.attempt)
    await run.final_report(report=paid)
    die_at("reported", run.attempt)
    note("done", run)


async def hang(*, shielded: bool) -> None:
    with trio.CancelScope(shield=shielded):
        await trio.sleep(600)


if __name__ == "__main__":
    serve(agent)
