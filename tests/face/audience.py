"""A served agent, and a user who sees and confirms everything over a real socket."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from greenroom.delivery.events.kinds import Kind
from greenroom.transport.auth.tokens import sign_token
from greenroom.transport.client.client import connect
from tests.face.cli import PATIENCE, SECRET, greenroom, running

AGENT = """
async def agent(run, said):
    async with run.tool("get_costs", {"month": "2026-08"}) as tool:
        tool.result(1290)
    async with run.sub_run(agent="scout") as scout:
        await scout.agent_thinking(text="Looking around")
    await run.final_report(report={"saving": "10%"})
"""


@contextmanager
def serving_alice(directory: Path) -> Iterator[str]:
    """A server, `greenroom serve`, that has answered alice; her run's id."""
    (directory / "app.py").write_text(AGENT)
    with running("serve", "app:agent", "--port", "0", cwd=directory, secret=SECRET) as server:
        port = re.search(r":(\d+)/", server.line())
        assert port is not None
        yield trio.run(ask_and_watch, f"ws://127.0.0.1:{port[1]}")
        assert server.process.poll() is None


async def ask_and_watch(url: str) -> str:
    """Say something, display all that comes, confirm the report; the run's id."""
    async with connect(url, token=sign_token(SECRET, "alice", 60)) as client:
        started = await client.say("Why so dear?")
        async for event in client.events():
            await client.displayed([event.offset])
            if event.kind is Kind.FINAL_REPORT:
                await client.confirm(event.offset, verdict="good")
            if event.kind is Kind.AGENT_COMPLETED and event.run == started.run:
                await client.history(limit=1)  # once this is answered, all of that was heard
                return started.run
    raise AssertionError("the client's events ended")


def told_until(holds: Callable[[dict], bool], *words: str, cwd: Path) -> dict:
    """The command's JSON once this holds: what a client said last is on the disk a second later."""
    deadline = time.monotonic() + PATIENCE
    while True:
        result = greenroom(*words, "--json", cwd=cwd)
        assert (result.code, result.err) == (0, "")
        told: dict = json.loads(result.out)
        if holds(told):
            return told
        assert time.monotonic() < deadline, told
