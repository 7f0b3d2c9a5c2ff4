"""What every journal keeps of open runs until they end: attempts, and the results of steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import apsw
import attrs
import pytest

from greenroom.delivery.events.going_on import GoesOn, GoingOn, NotAgain, StepResult
from greenroom.delivery.events.ids import BadId, EventId, RunId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Unsaid
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question, Reads, RunReads
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BOB,
    DURABLE,
    IDS,
    RUNS,
    OpenJournal,
    record,
)
from tests.delivery.journal.journal_story import write_story

T = TypeVar("T")


class _Asked(Question[T]):
    def __init__(self, read: Callable[[RunReads], T]) -> None:
        self._read = read

    def answer(self, reads: Reads) -> T:
        return self._read(reads.runs)


async def going_on(journal: Journal, user: UserId = ALICE) -> list[GoingOn]:
    return await journal.ask(_Asked(lambda runs: runs.going_on(user))).wait()


async def users(journal: Journal, after: UserId | None = None, limit: int = 9) -> list[UserId]:
    return await journal.ask(_Asked(lambda runs: runs.users_going_on(after, limit))).wait()


async def result(journal: Journal, key: str, run: RunId = RUNS[0]) -> str | None:
    return await journal.ask(_Asked(lambda runs: runs.step_result(ALICE, run, key))).wait()


async def results(journal: Journal, run: RunId = RUNS[0]) -> int:
    return await journal.ask(_Asked(lambda runs: runs.step_results(ALICE, run))).wait()


def step(key: str, value: str, run: RunId = RUNS[0]) -> StepResult:
    return StepResult(ALICE, run, key, value, at=7)


async def say(journal: Journal, offset: int = 1, run: RunId = RUNS[0]) -> None:
    """A message that starts a run which goes on, in one append, as the user actor keeps it."""
    key = f"say-{offset}"
    said = record(offset, kind=Kind.USER_SAID, run=run, say=key)
    await journal.append([said, Unsaid(ALICE, key), GoesOn(ALICE, run, "analyst")])


@pytest.mark.requirement("R56")
async def test_each_agent_started_of_a_run_that_goes_on_counts_as_an_attempt(
    journal: Journal,
) -> None:
    await say(journal)
    assert await going_on(journal) == [GoingOn(RUNS[0], "analyst", 0, 0, stopped=False)]
    await journal.append([record(2, kind=Kind.AGENT_STARTED)])
    await journal.append([record(3, kind=Kind.AGENT_STARTED, run=RUNS[1])])
    await journal.append([record(4, kind=Kind.AGENT_STARTED)])
    assert await going_on(journal) == [GoingOn(RUNS[0], "analyst", 2, 4, stopped=False)]


@pytest.mark.requirement("R56")
async def test_runs_that_go_on_are_listed_in_the_order_in_which_they_began(
    journal: Journal,
) -> None:
    for offset, run in enumerate((RUNS[2], RUNS[0], RUNS[1]), 1):
        await say(journal, offset, run)
    assert [each.run for each in await going_on(journal)] == [RUNS[2], RUNS[0], RUNS[1]]


@pytest.mark.parametrize("end", [Kind.AGENT_COMPLETED, Kind.AGENT_FAILED])
@pytest.mark.requirement("R56")
async def test_a_run_that_has_ended_keeps_neither_attempts_nor_results(
    journal: Journal, end: Kind
) -> None:
    await say(journal)
    await journal.append([step("charge", "1")])
    await journal.append([record(2, kind=end)])
    await journal.append([step("late", "2"), GoesOn(ALICE, RUNS[0], "analyst")])
    assert (await going_on(journal), await results(journal), await users(journal)) == ([], 0, [])


@pytest.mark.requirement("R56")
async def test_the_first_result_of_a_step_counts(journal: Journal) -> None:
    await say(journal)
    await journal.append([step("charge", '{"id":1}')])
    await journal.append([step("charge", '{"id":2}'), step("mail", "null")])
    assert await result(journal, "charge") == '{"id":1}'
    assert await result(journal, "mail") == "null"
    assert await result(journal, "charge", RUNS[1]) is None
    assert await results(journal) == 2


@pytest.mark.requirement("R56")
async def test_a_run_that_its_user_stopped_stays_stopped(journal: Journal) -> None:
    await say(journal)
    await journal.append([NotAgain(ALICE, RUNS[0])])
    await journal.append([record(2, kind=Kind.AGENT_STARTED)])
    assert await going_on(journal) == [GoingOn(RUNS[0], "analyst", 1, 2, stopped=True)]


async def test_users_with_runs_that_go_on_are_listed_page_by_page(journal: Journal) -> None:
    await say(journal)
    for user in (UserId("carol"), BOB):
        said = record(1, user=user, kind=Kind.USER_SAID, say="s")
        await journal.append([said, GoesOn(user, RUNS[0], "analyst")])
    await journal.append([record(1, user=UserId("dave"), kind=Kind.USER_SAID, say="s")])
    assert await users(journal, limit=2) == [ALICE, BOB]
    assert await users(journal, after=BOB) == [UserId("carol")]


async def test_the_first_event_of_a_run_is_the_first_in_the_log_whatever_its_id(
    journal: Journal,
) -> None:
    """Ids of one millisecond are in no order."""
    ids = sorted((IDS.new(EventId) for _ in range(4)), reverse=True)
    runs = (RUNS[1], *[RUNS[0]] * 3)
    for offset, (event, run) in enumerate(zip(ids, runs, strict=True), 1):
        await journal.append([attrs.evolve(record(offset, run=run), id=event)])
    first = await journal.ask(_Asked(lambda reads: reads.first(RUNS[0]))).wait()
    assert first is not None
    assert (first.user, first.offset) == (ALICE, 2)


async def test_a_run_without_events_has_no_first_one(journal: Journal) -> None:
    await journal.append([record(1)])
    assert await journal.ask(_Asked(lambda reads: reads.first(RUNS[2]))).wait() is None


async def test_an_entry_of_a_run_needs_the_id_of_one(journal: Journal) -> None:
    event: Any = IDS.new(EventId)
    with pytest.raises(BadId):
        await journal.append([StepResult(ALICE, event, "key", "1", at=0)])


@pytest.mark.parametrize("durable", DURABLE.values(), ids=DURABLE)
@pytest.mark.requirement("R56")
async def test_attempts_and_results_outlive_the_process(
    durable: OpenJournal, tmp_path: Path
) -> None:
    async with durable(tmp_path) as journal:
        await say(journal)
        await journal.append([record(2, kind=Kind.AGENT_STARTED), step("charge", "1")])
    async with durable(tmp_path) as journal:
        assert await going_on(journal) == [GoingOn(RUNS[0], "analyst", 1, 2, stopped=False)]
        assert await result(journal, "charge") == "1"


async def test_a_journal_of_an_older_version_gets_the_tables_when_it_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1, kind=Kind.USER_SAID, say="old")])
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TRIGGER run_ends; DROP TABLE going_on; DROP TABLE step_result")
    async with open_sqlite_journal(path) as journal:
        assert await going_on(journal) == [], "that version made no promise for it"
        await say(journal, 2, RUNS[1])
        await journal.append([step("charge", "1", RUNS[1])])
        assert [each.run for each in await going_on(journal)] == [RUNS[1]]
        assert await result(journal, "charge", RUNS[1]) == "1"


async def test_an_older_version_that_ends_a_run_leaves_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        await say(journal)
        await journal.append([step("charge", "1")])
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DELETE FROM open_run")
        assert database.execute("SELECT * FROM going_on").fetchall() == []
        assert database.execute("SELECT * FROM step_result").fetchall() == []


def test_an_export_has_the_attempts_and_results(tmp_path: Path) -> None:
    path, lines = tmp_path / "journal.db", list[bytes]()
    write_story(path, "alice")
    with closing(apsw.Connection(str(path))) as database:
        [open_run] = database.execute("SELECT run FROM open_run").fetchall()
        run = RunId.trusted(str(open_run[0]))
        SqlStore(database).append([GoesOn(ALICE, run, "analyst"), step("charge", "1", run)])
    export_journal(path, lines.append)
    import_journal(tmp_path / "new.db", lines)
    with closing(apsw.Connection(str(tmp_path / "new.db"))) as database:
        runs = SqlStore(database).runs
        assert [each.agent for each in runs.going_on(ALICE)] == ["analyst"]
        assert runs.step_result(ALICE, run, "charge") == "1"
