"""A server whose agents take their time; each notes in a ledger what was accepted from it."""

from __future__ import annotations

import os
import sys

import trio

import greenroom

LEDGER = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(LEDGER, b"\n")  # a kill may have torn the last line
PIECES = int(os.environ.get("PIECES", "20"))
PACE = float(os.environ.get("PACE", "0.02"))


def note(run: greenroom.Run, receipt: greenroom.Receipt) -> None:
    os.write(LEDGER, f"{run.context.user} {receipt.offset} {receipt.event}\n".encode())


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    user = str(run.context.user)
    if said == "hang":
        await run.agent_thinking(text=user)
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
    for _ in range(PIECES):
        note(run, await run.partial_result(text=user))
        await trio.sleep(PACE)
    note(run, await run.final_report(report=user))


if __name__ == "__main__":
    from functools import partial

    from greenroom.logs import configure_logs
    from greenroom.serving import run_server

    settings = greenroom.Settings.load(
        port=int(sys.argv[1]), journal=sys.argv[2], secret=os.environ["SECRET"]
    )
    configure_logs(settings)
    options = {"last_resort": float(os.environ.get("LAST_RESORT", "30"))}
    announce = partial(print, flush=True)
    trio.run(partial(run_server, settings, agent, announce=announce, **options))
