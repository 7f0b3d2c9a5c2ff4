"""What retention costs beside a server's work, and whether months of traffic leave the file flat.

First 1,000 events a second are appended to a journal full of old events, without retention, with
it, and with retention of progress only, which leaves places: CPU of the process, how long commits
take, and the longest step; then with controls between the steps. Then the largest events are
forgotten, and events with many marks. Then sixty days (`--days 365`: a year) pass in the journal's
time, one by one, each with a pass of retention; twice, the second time with progress
forgotten before the rest.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import apsw
import attrs
import trio
from sweeps.control import MOST_SECONDS, Alternating, clock, cpu, idle, in_ms, long

from greenroom.actors.reply import ReplyOutcome
from greenroom.delivery.events.draft import MAX_EVENT_BYTES, draft
from greenroom.delivery.events.ids import (
    EventId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Mark, Record, Settled
from greenroom.delivery.journal.retention.cutoffs import (
    BEGINNING,
    DAY_MS,
    STEP_SECONDS,
    Cutoffs,
    Retention,
    Swept,
    SweptTo,
)
from greenroom.delivery.journal.retention.sqlite_sweeper import SqliteSweeper
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from greenroom.delivery.journal.sqlite.journal import (
    FOLD_FRAMES,
    SqliteJournal,
    open_sqlite_journal,
)
from greenroom.delivery.retention import Sweeping

USERS, RATE, TURN = 100, 1_000, 20
START_MS = 1_757_371_363_000
KINDS = {
    "without": Retention(),
    "with retention": Retention(keep_days=30),
    "of progress only": Retention(progress_days=30),
}
IDS = IdSource()
TEXT = "x" * 120
LARGEST = {"of 1 MiB": (MAX_EVENT_BYTES - 1_000, 0), "with 400 marks each": (120, 200)}
"""The characters of each event, and the sessions that displayed and confirmed it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--old", type=int, default=50_000, help="events to forget")
    parser.add_argument("--seconds", type=float, default=5.0, help="of 1,000 events/s")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--days", type=int, default=60, help="365: a year")
    parser.add_argument("--directory", type=Path, help="on the disk to measure")
    chosen = parser.parse_args()
    gc.disable()  # it would count as part of a step
    for part in chosen.only:
        PARTS[part](chosen)


def beside_work(chosen: argparse.Namespace) -> None:
    print("                          append ms: a step, ms:")
    print("1,000 events/s    CPU %      p50      p99    CPU max      p99      max  forgotten/s")
    for _ in range(chosen.rounds):
        for name, retention in KINDS.items():
            with TemporaryDirectory(dir=chosen.directory) as directory:
                path = Path(directory, "journal.db")
                fill(path, chosen.old)
                beside = trio.run(partial(measure, path, retention, chosen.seconds))
                print(beside.line(name))
    with TemporaryDirectory(dir=chosen.directory) as directory:
        path = Path(directory, "journal.db")
        fill(path, chosen.old)
        compare(trio.run(partial(alternate, path, chosen.seconds)))


def compare(turns: Alternating) -> None:
    print("\n1,000 events/s, a step and a control by turns, ms:")
    print("                       CPU max      p99      max")
    print(f"steps                  {in_ms(turns.steps)}")
    print(f"controls               {in_ms(turns.controls)}")
    print(f"commits of a step, max {1e3 * max(turns.commits):26.1f}")
    print_long("of CPU", cpu(turns.steps), cpu(turns.controls))
    print_long("by the clock", clock(turns.steps), clock(turns.controls))
    print_long("without the commits", turns.rests(), clock(turns.controls))


def print_long(of: str, steps: Sequence[float], controls: Sequence[float]) -> None:
    print(
        f"over {1e3 * MOST_SECONDS:.0f} ms {of}: {long(steps)} of {len(steps):,} steps,"
        f" {long(controls)} of {len(controls):,} controls"
    )


def forget_the_largest(chosen: argparse.Namespace) -> None:
    print("\n                          a step, ms:")
    print("events                   CPU max      p99      max")
    for name, (text, sessions) in LARGEST.items():
        with TemporaryDirectory(dir=chosen.directory) as directory:
            print(f"{name:22} {in_ms(forget(Path(directory, 'journal.db'), text, sessions))}")


def live_years(chosen: argparse.Namespace) -> None:
    for retention in (Retention(keep_days=30), Retention(keep_days=30, progress_days=7)):
        with TemporaryDirectory(dir=chosen.directory) as directory:
            live_through(Path(directory, "journal.db"), retention, chosen.days)


PARTS = {"beside": beside_work, "largest": forget_the_largest, "year": live_years}


def events(user: UserId, first: int, count: int, at: int, text: str = TEXT) -> Iterator[Record]:
    """A run of progress events, as a streamed answer is."""
    thread, run, request = IDS.new(ThreadId), IDS.new(RunId), IDS.new(RequestId)
    for offset in range(first, first + count):
        event = draft(
            event=IDS.new(EventId),
            kind=Kind.PARTIAL_RESULT,
            thread=thread,
            run=run,
            parent=None,
            request=request,
            data={"text": text, "index": offset},
        )
        yield event.record(user, offset, at)


def whose(number: int) -> UserId:
    return UserId(f"user-{number}")


def fill(path: Path, count: int) -> None:
    """Old events of all users, in turns, all of them with their outcome."""
    with closing(open_file(path, new_epoch=lambda: "bench")) as file:
        file.database.pragma("synchronous", "off")
        for first in range(1, count // USERS + 1, TURN):
            say_all(SqlStore(file.database), first, TURN, START_MS)


def say_all(store: SqlStore, first: int, count: int, at: int) -> None:
    for user in map(whose, range(USERS)):
        settled = [Settled(user, each, first + count - 1) for each in EventClass]
        store.append([*events(user, first, count, at), *settled])


@attrs.define
class Beside:
    """What happened meanwhile. Times in seconds. In place of the journal, for `Sweeping`."""

    journal: SqliteJournal
    commits: list[float] = attrs.field(factory=list)
    steps: list[Swept] = attrs.field(factory=list)
    cpu: float = 0.0
    seconds: float = 0.0

    async def sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        self.steps.append(await self.journal.sweep(cutoffs, place))
        return self.steps[-1]

    def line(self, name: str) -> str:
        cuts = quantiles(self.commits, n=100)
        forgotten = sum(step.events for step in self.steps) / self.seconds
        return (
            f"{name:16} {100 * self.cpu / self.seconds:6.1f} {1e3 * cuts[49]:8.1f}"
            f" {1e3 * cuts[98]:8.1f}   {in_ms(self.steps)} {forgotten:11,.0f}"
        )


@attrs.frozen
class NoUsers:
    """No user is active."""

    def trimmed(self, user: UserId, through: int) -> None:
        """Nothing depends on it."""


async def alternate(path: Path, seconds: float) -> Alternating:
    async with open_sqlite_journal(path, commit_interval=0.004) as journal:
        turns = Alternating(journal._sweeper, journal._file.database)
        journal._sweeper = turns  # type: ignore[assignment]  # with every second step a control
        await work(Beside(journal), KINDS["with retention"], seconds)
    return turns


async def measure(path: Path, retention: Retention, seconds: float) -> Beside:
    async with open_sqlite_journal(path, commit_interval=0.004) as journal:
        await work(beside := Beside(journal), retention, seconds)
    return beside


async def work(beside: Beside, retention: Retention, seconds: float) -> None:
    sweeping = Sweeping(beside, retention, NoUsers())
    async with trio.open_nursery() as nursery:
        used, began = time.process_time(), time.perf_counter()
        if retention != KINDS["without"]:
            nursery.start_soon(sweeping.make_pass)
        with trio.move_on_after(seconds):
            await emit(beside)
        beside.cpu, beside.seconds = time.process_time() - used, time.perf_counter() - began
        nursery.cancel_scope.cancel()


async def emit(beside: Beside) -> None:
    """`RATE` events a second, of each user in turn, each in an append of its own."""
    journal = beside.journal
    lasts = [(await journal.bounds(whose(number))).last for number in range(USERS)]
    began, sent, now = trio.current_time(), 0, round(time.time() * 1000)
    while True:
        while sent < (trio.current_time() - began) * RATE:
            number = sent % USERS
            lasts[number] += 1
            record = list(events(whose(number), lasts[number], 1, now))
            reply = journal.append_soon(record)
            reply.then(partial(landed, beside, time.perf_counter()))
            sent += 1
        await trio.sleep(0.002)


def landed(beside: Beside, sent: float, result: ReplyOutcome[None]) -> None:
    result.unwrap()
    beside.commits.append(time.perf_counter() - sent)


def forget(path: Path, size: int, sessions: int) -> list[Swept]:
    """The steps that forget 200 events of one user, with the marks of some sessions."""
    with closing(open_file(path, new_epoch=lambda: "bench")) as file:
        store, user = SqlStore(file.database), whose(0)
        for offset in range(1, 201):
            store.append(list(events(user, offset, 1, START_MS, "x" * size)))
        store.append([Settled(user, each, 200) for each in EventClass])
        for session in [IDS.new(SessionId) for _ in range(sessions)]:
            store.append(list(marks(user, session, 200)))
        file.fold()
        cutoffs = Retention(keep_days=30).at(START_MS + 90 * DAY_MS)
        return list(pass_by(SqliteSweeper(file.database, store), file, cutoffs))


def marks(user: UserId, session: SessionId, last: int) -> Iterator[Mark]:
    for offset in range(1, last + 1):
        yield Mark(user, session, offset, "displayed", None, None, START_MS)
        yield Mark(user, session, offset, "confirmed", "yes", None, START_MS)


def live_through(path: Path, retention: Retention, days: int) -> None:
    progress = retention.progress_days or retention.keep_days
    print(f"\n                      a step, ms:      (30 days are kept, {progress} of progress)")
    print("day    MiB events kept  CPU max      p99      max")
    with closing(open_file(path, new_epoch=lambda: "bench")) as file:
        store = SqlStore(file.database)
        sweeper = SqliteSweeper(file.database, store)
        steps: list[Swept] = []
        for day in range(1, days + 1):
            now = START_MS + day * DAY_MS
            say_all(store, (day - 1) * TURN + 1, TURN, now)
            steps += pass_by(sweeper, file, retention.at(now))
            if day % 30 == 0 or day == days:
                kept = file.database.execute("SELECT count(*) FROM log").get
                print(f"{day:3} {file.bytes() / 1024**2:6.1f} {kept:11,} {in_ms(steps)}")
    memory = apsw.Connection(":memory:")
    controls = [idle(memory, BEGINNING, STEP_SECONDS) for _ in steps]
    print(f"controls               {in_ms(controls)}")
    print_long("of CPU", cpu(steps), cpu(controls))


def pass_by(sweeper: SqliteSweeper, file: SqliteFile, cutoffs: Cutoffs) -> Iterator[Swept]:
    """The steps of a whole pass."""
    place: SweptTo | None = BEGINNING
    while place is not None:
        yield (swept := sweeper.sweep(cutoffs, place, STEP_SECONDS))
        place = swept.next
        if file.watch.unfolded > FOLD_FRAMES:
            file.fold()


if __name__ == "__main__":
    main()
