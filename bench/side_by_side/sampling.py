"""Samples of what a server's main thread does: by SIGPROF, each millisecond of CPU time."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import greenroom

INTERVAL: Final = 0.001
SAMPLED: Final = "GREENROOM_BENCH_SAMPLES"
"""The environment variable with the file to which a server writes its samples at SIGUSR1."""

STAGES: Final = {
    "actors": "mailboxes, reactors, machines",
    "delivery/run": "the agent's call",
    "delivery/events": "encoding the event, its id",
    "delivery/outbox": "the user's sequence and cursors",
    "delivery/user": "the user actor",
    "delivery/journal": "the journal, but for its thread",
    "transport": "the connection: frames in and out, the socket",
    "metrics": "counting",
    "portal": "the border: in the runtime's thread, and what its sides share",
    "aio": "the border: on the loop",
    "serving": "trio's loop, or another thread meanwhile",
}
"""The rooms of the code, and what an event needs them for."""

_ROOT: Final = str(Path(greenroom.__file__).parent)


@contextmanager
def sampling(file: str | None) -> Iterator[None]:
    """Sample while the block runs, if `file` is set: which room each sample was taken in."""
    if file is None:
        yield
        return
    counts: Counter[str] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        counts[_stage_of(frame)] += 1

    def dump(*_: object) -> None:
        Path(file).write_text(json.dumps(counts))

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR1, dump)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def samples(pid: int, file: Path) -> Counter[str]:
    """Have a server write its samples, and read them."""
    os.kill(pid, signal.SIGUSR1)
    while not (file.exists() and (text := file.read_text()).endswith("}")):
        time.sleep(0.01)
    return Counter(json.loads(text))


def _stage_of(frame: FrameType | None) -> str:
    """The innermost room of greenroom's on the stack; a library's code counts for its caller."""
    while frame is not None:
        if room := room_of(frame.f_code.co_filename):
            return room
        frame = frame.f_back
    return "trio, and waiting"


def room_of(path: str) -> str | None:
    """The stage that a file of greenroom, or of the agent, belongs to."""
    if path.startswith(_ROOT):
        room = path[len(_ROOT) + 1 :]
        found = next((each for each in STAGES if room.startswith(each)), None)
        return STAGES[found] if found else "other parts of greenroom"
    return "the agent itself" if "greenroom_server" in path else None
