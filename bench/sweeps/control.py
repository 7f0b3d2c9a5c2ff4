"""Steps of retention and, by turns on the same thread, controls: as long, without a journal.

What is long about a control, other programs and the interpreter's lock have taken.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import apsw
import attrs

from greenroom.delivery.journal.retention.cutoffs import Cutoffs, Swept, SweptTo
from greenroom.delivery.journal.retention.sqlite_sweeper import SqliteSweeper

MOST_SECONDS = 0.005
"""The most that a step may take."""

QUERIES = 20
COUNT = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
    SELECT count(*) FROM n
"""
"""To forget 16 events takes as many statements, each about as long as this. In each of them the
thread lets go of the interpreter's lock."""


@attrs.define
class Alternating:
    """In place of a journal's sweeper: after each step comes a control, when the next was due."""

    sweeper: SqliteSweeper
    database: apsw.Connection
    steps: list[Swept] = attrs.field(factory=list)
    commits: list[float] = attrs.field(factory=list)
    controls: list[Swept] = attrs.field(factory=list)
    memory: apsw.Connection = attrs.field(factory=lambda: apsw.Connection(":memory:"))

    def use(self) -> tuple[int, int | None]:
        return self.sweeper.use()

    def sweep(self, cutoffs: Cutoffs, place: SweptTo, seconds: float) -> Swept:
        if len(self.steps) > len(self.controls):
            self.controls.append(idle(self.memory, place, seconds))
            return self.controls[-1]
        with timed(self.database) as commits:
            self.steps.append(self.sweeper.sweep(cutoffs, place, seconds))
        self.commits.append(commits.seconds)
        return self.steps[-1]

    def rests(self) -> list[float]:
        """The seconds of each step without its commits."""
        return [
            step.seconds - commits for step, commits in zip(self.steps, self.commits, strict=True)
        ]


def idle(memory: apsw.Connection, place: SweptTo, seconds: float) -> Swept:
    """As a step, which begins nothing more after some seconds. It stays where it is."""
    began, worked = time.monotonic(), time.thread_time()
    while time.monotonic() - began < seconds:
        for _ in range(QUERIES):
            memory.execute(COUNT).fetchall()
    return Swept(place, time.monotonic() - began, cpu=time.thread_time() - worked)


@contextmanager
def timed(database: apsw.Connection) -> Iterator[Commits]:
    mask = apsw.SQLITE_TRACE_STMT | apsw.SQLITE_TRACE_PROFILE
    database.trace_v2(mask, (commits := Commits()).trace)
    try:
        yield commits
    finally:
        database.trace_v2(0, None)


@attrs.define
class Commits:
    """The seconds from the beginning of each COMMIT to its end."""

    seconds: float = 0.0
    _began: float = 0.0

    def trace(self, event: dict[str, object]) -> None:
        if event["sql"] == "COMMIT":
            self._note(event["code"] == apsw.SQLITE_TRACE_STMT)

    def _note(self, begins: bool) -> None:
        now = time.perf_counter()
        if begins:
            self._began = now
        else:
            self.seconds += now - self._began


def in_ms(steps: Sequence[Swept]) -> str:
    """The longest step and the longest of 99 in a hundred, by the clock; and the longest in CPU."""
    seconds = sorted(step.seconds for step in steps) or [0.0]
    usual = seconds[int(len(seconds) * 0.99)]
    return f"{1e3 * max(cpu(steps), default=0.0):8.1f} {1e3 * usual:8.1f} {1e3 * seconds[-1]:8.1f}"


def cpu(steps: Iterable[Swept]) -> list[float]:
    """Their seconds of CPU, among which a pause of a virtual machine may count."""
    return [min(step.cpu, step.seconds) for step in steps]


def clock(steps: Iterable[Swept]) -> list[float]:
    return [step.seconds for step in steps]


def long(seconds: Iterable[float]) -> int:
    return sum(each > MOST_SECONDS for each in seconds)
