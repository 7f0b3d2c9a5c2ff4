"""A server whose agent goes on after it was lost, and has two questions open: one with a key, and
one without. It notes what it gets; what is said is the first attempt that does not hang then."""

from __future__ import annotations

import os

import trio

import greenroom
from tests.system.processes import serve

LEDGER = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@greenroom.agent(when_lost="again", attempts=5)
async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    assert isinstance(said, int)
    async with run.ask("Which way?", options=["left", "right"]):
        answer = await run.ask("Delete 14 files?", options=["yes", "no"], key="delete")
        os.write(LEDGER, f"{run.attempt} {answer}\n".encode())
        if run.attempt < said:
            await trio.sleep_forever()
    await run.final_report(report=answer)


if __name__ == "__main__":
    serve(agent)
