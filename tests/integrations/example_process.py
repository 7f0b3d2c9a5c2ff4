"""An example in a process of its own, and a user of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import greenroom

EXAMPLES = Path(greenroom.__file__).parent / "demo" / "frameworks"
PATIENCE = 60


@contextmanager
def example(name: str, *arguments: str) -> Iterator[Example]:
    """Start it, and end it by Ctrl-C."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url, _, token = process.stdout.readline().strip().partition("#token=")
        yield Example(process, url, token)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in (0, -signal.SIGKILL)
        process.stdout.close()


class Example:
    """A program that runs, and prints where."""

    def __init__(self, process: subprocess.Popen[str], url: str, token: str) -> None:
        self.process, self.url, self.token = process, url, token

    def client(self) -> AbstractAsyncContextManager[greenroom.Client]:
        """A client of its user."""
        return greenroom.connect(self.url.replace("http", "ws"), token=self.token)

    async def talk(self, said: greenroom.JSON, answer: greenroom.JSON) -> list[greenroom.Event]:
        """Say it, answer what is asked, and return the events to the end of the run."""
        async with self.client() as client:
            started = await client.say(said)
            return await follow(client, started.run, answer)


async def follow(
    client: greenroom.Client, run: str, answer: greenroom.JSON
) -> list[greenroom.Event]:
    """Answer what is asked, and return the events to the end of the run."""
    seen = []
    async for event in client.events():
        seen.append(event)
        if event.kind is greenroom.Kind.INPUT_REQUESTED:
            await client.answer(event, answer)
        if event.run == run and event.kind in (
            greenroom.Kind.AGENT_COMPLETED,
            greenroom.Kind.AGENT_FAILED,
        ):
            break
    return seen
