"""A server to be killed: its agent notes in a ledger every event whose emit has returned."""

from __future__ import annotations

import os

import greenroom
from tests.system.processes import serve

LEDGER = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(LEDGER, b"\n")  # a kill may have torn the last line


def note(run: greenroom.Run, receipt: greenroom.Receipt) -> None:
    os.write(LEDGER, f"{run.context.user} {receipt.offset} {receipt.event}\n".encode())


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    """Whenever it is killed, tools of a run and of its sub-run are open."""
    async with run.tool("count"), run.sub_run(agent="counter") as counter, counter.tool("add"):
        for number in range(400):
            speaker = counter if number % 2 else run
            note(run, await speaker.partial_result(text=f"{said} {number}"))


if __name__ == "__main__":
    serve(agent)
