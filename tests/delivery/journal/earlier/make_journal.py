"""Makes a journal with the greenroom that is imported: `python make_journal.py journal.db`.

Two lives of a real server leave it. In the first one bob receives nothing in time, so that there
are dead letters. The second one is killed while a run of alice's is open, with its sub-run.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import trio
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import greenroom
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.transport.auth.tokens import sign_token

SECRET = "a secret of the tests, 32 bytes or more"
HASTY = {"GREENROOM_CRITICAL_SECONDS": "1", "GREENROOM_REDELIVERY_DELAY": "0.1"}
UNHURRIED = {"GREENROOM_REDELIVERY_DELAY": "0.1", "GREENROOM_REDELIVERY_ATTEMPTS": "5"}
PATIENCE = 30.0


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    await run.agent_thinking(text="Reading the costs")
    async with run.tool("get_costs", {"month": "2026-10"}) as tool:
        tool.result({"total": 1200, "at": "Café"})
    if said == "crash":
        raise ValueError("no costs")
    if said == "wait":
        async with run.sub_run(agent="helper", input="look it up"), run.tool("wait"):
            await run.partial_result(text="waiting")
            await trio.sleep_forever()
    async with run.text() as text:
        for number in range(6):
            text.write(f"word {number} ")
            await trio.sleep(0.03)
    await run.final_report(report={"answer": said})


@contextmanager
def served(journal: Path, chosen: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, killed at the end, and its address."""
    command = [sys.executable, __file__, "serve", str(journal)]
    environment = {**os.environ, **chosen}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, _first_line(process.stdout).replace("http", "ws", 1)
        finally:
            process.kill()


def _first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip().rstrip("/")


class Client:
    """A socket of a user's, that acknowledges what it gets only when it is told to."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.offset = 0

    def send(self, type_: str, **fields: object) -> None:
        self.socket.send(json.dumps({"type": type_, **fields}))

    def say(self, body: str, **fields: object) -> str:
        """Say something; the thread of the run that it started."""
        self.send("say", id=f"say-{body}", body=body, **fields)
        while (frame := self.next())["type"] != "reply":
            pass
        return str(frame["thread"])

    def hear(self, kind: str) -> None:
        """Take what comes, through an event of the kind."""
        while kind not in (frame := self.next()).get("kinds", []):
            pass
        self.offset = frame["last"]

    def next(self) -> dict[str, object]:
        frame = json.loads(self.socket.recv(timeout=PATIENCE))
        if frame["type"] == "events":
            frame["kinds"] = [each["kind"] for each in frame["events"]]
            frame["last"] = frame["events"][-1]["offset"]
        return dict(frame)


@contextmanager
def connected(url: str, user: str) -> Iterator[Client]:
    headers = {"Authorization": f"Bearer {sign_token(SECRET, user, ttl_seconds=600)}"}
    with connect(
        f"{url}/live", additional_headers=headers, subprotocols=["greenroom.v1"], proxy=None
    ) as socket:
        client = Client(socket)
        client.send("hello")
        while client.next()["type"] != "ready":
            pass
        yield client


def lose_letters(journal: Path) -> None:
    """Bob is sent events again and again, acknowledges none, and is away when their time ends."""
    with served(journal, HASTY) as (process, url):
        with connected(url, "bob") as bob:
            bob.say("what did it cost?")
            bob.hear("agent_completed")
            try:
                while True:
                    bob.next()  # sent again, until the server gives the socket up
            except ConnectionClosed:
                pass
        while len(JournalReader(journal).dead_letters(limit=9)) < 4:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def talk_until_killed(journal: Path) -> None:
    """Alice has three threads, and reports what she saw; bob leaves what is sent twice."""
    with served(journal, UNHURRIED) as (_, url), connected(url, "alice") as alice:
        with connected(url, "bob") as bob:
            bob.say("and now?")
            bob.hear("agent_completed")
            bob.next()
        costs = alice.say("what do we spend?")
        alice.hear("agent_completed")
        alice.say("crash")
        alice.hear("agent_failed")
        alice.say("and in May?", thread=costs)
        alice.hear("agent_completed")
        alice.send("ack", offset=alice.offset)
        alice.send("displayed", offsets=[alice.offset - 1, alice.offset])
        alice.send("confirm", offset=alice.offset - 1, verdict={"good": True}, note="so it is")
        alice.say("wait")
        alice.hear("partial_result")


def serve(journal: str) -> None:
    greenroom.serve(agent, port=0, journal=journal, secret=SECRET, announce=say_where)


def say_where(url: str) -> None:
    print(url, flush=True)


def main(journal: Path) -> None:
    lose_letters(journal)
    talk_until_killed(journal)
    check = [sys.executable, "-m", "greenroom", "journal", "check", "--journal", str(journal)]
    subprocess.run(check, check=True)  # as it closes the journal, the WAL is folded into the file
    journal.with_suffix(".db.gz").write_bytes(gzip.compress(journal.read_bytes(), mtime=0))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        main(Path(sys.argv[1]))
