"""What upkeep of a journal costs: seconds and peak memory of each `greenroom journal` command.

Memory should be the same for a journal ten times the size: run it with `--events` twice.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import EventId, RequestId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.file import open_file

START_MS = 1_757_371_363_000
CALL = "get_costs_1757371363786"
TURN: list[tuple[Kind, dict[str, JSON]]] = [
    (Kind.USER_SAID, {"body": "What did we spend?", "say": "1"}),
    (Kind.AGENT_STARTED, {"agent": "analyst"}),
    (Kind.TOOL_EXECUTING, {"tool_call": CALL, "tool_name": "get_costs"}),
    (Kind.TOOL_COMPLETED, {"tool_call": CALL, "tool_name": "get_costs", "duration_ms": 1}),
    (Kind.AGENT_COMPLETED, {"outcome": "ok"}),
]
COMMANDS = [
    ("migrate", "--journal", "legacy.db"),
    ("check", "--journal", "legacy.db"),
    ("export", "lines.jsonl", "--journal", "legacy.db"),
    ("import", "lines.jsonl", "--journal", "imported.db"),
    ("compact", "--keep", "50", "--journal", "legacy.db"),
]


@attrs.frozen
class Cost:
    """Of one process: seconds by the wall clock, and the most memory it had."""

    seconds: float
    mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--directory", type=Path, help="on the disk to measure")
    arguments = parser.parse_args()
    with TemporaryDirectory(dir=arguments.directory) as directory:
        journal = Path(directory, "legacy.db")
        _generate(journal, arguments.events, arguments.users)
        size = journal.stat().st_size / 1024**2
        print(
            f"{arguments.events:,} events of {arguments.users} users, legacy ids, {size:,.0f} MiB"
        )
        print("command       seconds   events/s   peak MiB")
        for command in COMMANDS:
            cost = _measured(command, Path(directory))
            print(
                f"{command[0]:10} {cost.seconds:10.1f}"
                f" {arguments.events / cost.seconds:10,.0f} {cost.mib:10.0f}"
            )


def _measured(command: Sequence[str], directory: Path) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "greenroom", "journal", *command],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"greenroom journal {' '.join(command)} failed")
    kib = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(time.perf_counter() - started, kib / 1024)


def _generate(path: Path, events: int, users: int) -> None:
    records = islice(_records(users), events)
    with closing(open_file(path, new_epoch=lambda: "bench")) as file:
        file.database.pragma("synchronous", "off")
        store = SqlStore(file.database)
        while batch := list(islice(records, 5_000)):
            store.append(batch)


def _records(users: int) -> Iterator[Record]:
    """Turns of all users in turns, for ever."""
    turn = 0
    while True:
        for user in range(users):
            yield from _turn(f"user-{user}", user, turn, users)
        turn += 1


def _turn(user: str, number: int, turn: int, users: int) -> Iterator[Record]:
    at = START_MS + turn * 60_000 + number
    for offset, (kind, data) in enumerate(TURN, turn * len(TURN) + 1):
        event = draft(
            event=EventId.trusted(f"event-{user}-{offset}_{at}"),
            kind=kind,
            thread=ThreadId.trusted(f"thread_{user}_{START_MS + number}_{number}_{number:08x}"),
            run=RunId.trusted(f"analyst-{user}_{at}"),
            parent=None,
            request=RequestId.trusted(f"req_{turn * users + number:012x}"),
            data=data,
            say="1" if kind is Kind.USER_SAID else None,
        )
        yield event.record(UserId.trusted(user), offset, at)


if __name__ == "__main__":
    main()
