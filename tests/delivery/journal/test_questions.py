"""Questions to the journal: each asker's alone, in turns, and never in the way of a commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import outcome
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.actors.errors import MailboxFull
from greenroom.delivery.errors import JournalClosed, UnknownUser
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import POLICIES
from greenroom.delivery.history.unseen.evidence import ReadEventEvidence
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.readers import MOST_QUESTIONS
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.journal.sqlite.journal import READERS, SqliteJournal, open_sqlite_journal
from greenroom.delivery.observer import Observer
from greenroom.delivery.user.outcomes.settling import ReadSettlement
from greenroom.testing import STRAYS
from tests.delivery.backstage import open_backstage
from tests.delivery.journal.held_journal import open_held
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BACKENDS,
    BOB,
    OpenJournal,
    cursor,
    record,
    records,
)


@attrs.frozen
class Last(Question[int]):
    """The user's last offset, looked up twice: both times from one state of the journal."""

    user: UserId
    between: Callable[[], object] = lambda: None

    def answer(self, reads: Reads) -> int:
        before = reads.bounds(self.user).last
        self.between()
        assert reads.bounds(self.user).last == before
        return before


@attrs.frozen
class Stray(Question[None]):
    raises: Callable[[], BaseException]

    def answer(self, reads: Reads) -> None:
        raise self.raises()


@attrs.define(eq=False)
class Gate:
    """Questions that wait in the readers' threads until it is opened."""

    answered: list[str] = attrs.field(factory=list)
    event: threading.Event = attrs.field(factory=threading.Event)
    begun: threading.Semaphore = attrs.field(factory=lambda: threading.Semaphore(0))

    def question(self, name: str) -> Waiting:
        return Waiting(self, name)

    async def until_begun(self) -> None:
        await trio.to_thread.run_sync(self.begun.acquire)


@attrs.frozen
class Waiting(Question[None]):
    gate: Gate
    name: str

    def answer(self, reads: Reads) -> None:
        self.gate.answered.append(self.name)
        self.gate.begun.release()
        self.gate.event.wait()


@pytest.fixture(params=BACKENDS)
def open_journal(request: pytest.FixtureRequest) -> OpenJournal:
    return BACKENDS[request.param]


async def test_a_question_is_answered_with_what_is_durable(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    async with open_journal(tmp_path) as journal:
        assert await journal.ask(Last(ALICE)).wait() == 0
        await journal.append_soon(records(1, 3)).wait()
        assert await journal.ask(Last(ALICE)).wait() == 3


async def test_an_awaited_read_sees_what_was_appended_soon_before_it(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    async with open_journal(tmp_path) as journal:
        for number in range(1, 20):
            journal.append_soon([record(number)])
            assert (await journal.bounds(ALICE)).last == number


async def test_a_question_sees_one_state_of_the_journal(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        await journal.append([record(1)])
        begun, done = threading.Event(), threading.Event()

        def between() -> None:
            begun.set()
            done.wait()

        reply = journal.ask(Last(ALICE, between))
        await trio.to_thread.run_sync(begun.wait)
        await journal.append_soon([record(2)]).wait()
        done.set()
        assert await reply.wait() == 1
        assert await journal.ask(Last(ALICE)).wait() == 2


@pytest.mark.fault("D2")
@pytest.mark.parametrize("kind", STRAYS)
async def test_a_question_that_raises_anything_is_its_askers_alone(
    kind: str, open_journal: OpenJournal, tmp_path: Path
) -> None:
    async with open_journal(tmp_path) as journal:
        lost, other = journal.ask(Stray(STRAYS[kind])), journal.ask(Last(ALICE))
        assert isinstance(await lost.wait_outcome(), outcome.Error)
        assert await other.wait() == 0


async def test_a_question_that_fails_is_its_askers_to_know(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    class Failures(Observer):
        failed = answered = 0

        def lookup_failed(self, wanted: object) -> None:
            self.failed += 1

        def looked_up(self, seconds: float) -> None:
            self.answered += 1

    async with open_journal(tmp_path) as journal:
        observer = Failures()
        journal.report_to(observer)
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await journal.ask(Stray(ZeroDivisionError)).wait()
        assert await journal.ask(Last(ALICE)).wait() == 0
        assert (observer.failed, observer.answered) == (5, 6)


async def test_an_answer_that_there_is_no_such_thing_is_no_failure(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    class NoFailures(Observer):
        def lookup_failed(self, wanted: object) -> None:
            raise AssertionError(wanted)

    async with open_journal(tmp_path) as journal:
        journal.report_to(NoFailures())
        with pytest.raises(UnknownUser):
            await journal.ask(ReadEventEvidence(ALICE, 0)).wait()


async def test_a_closed_journal_answers_a_question_with_an_error(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    async with open_journal(tmp_path) as journal:
        accepted = journal.ask(Last(ALICE))
        await journal.aclose()
        assert await accepted.wait() == 0
        with pytest.raises(JournalClosed):
            await journal.ask(Last(ALICE)).wait()


@pytest.mark.fault("S11")
async def test_a_long_question_of_one_user_delays_no_other(tmp_path: Path) -> None:
    gate = Gate()
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        held = [journal.ask(gate.question("greedy"), whose="greedy") for _ in range(READERS + 1)]
        await gate.until_begun()
        assert await journal.ask(Last(BOB), whose="bob").wait() == 0
        assert gate.answered == ["greedy"], "one question of a user at a time"
        gate.event.set()
        for reply in held:
            await reply.wait()


@pytest.mark.fault("S11")
async def test_one_users_many_questions_do_not_delay_anothers(tmp_path: Path) -> None:
    """All readers but one stay busy, so that the answers have one order."""
    gate, busy = Gate(), Gate()
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        holders = [journal.ask(gate.question("holder"), whose="holder")]
        holders += [journal.ask(busy.question("busy"), whose=n) for n in range(READERS - 1)]
        await gate.until_begun()
        for _ in range(READERS - 1):
            await busy.until_begun()
        gate.answered.clear()
        many = [journal.ask(gate.question("greedy"), whose="greedy") for _ in range(50)]
        late = [journal.ask(gate.question(name), whose=name) for name in ("bob", "carol")]
        gate.event.set()
        for reply in [*many, *late]:
            await reply.wait()
        busy.event.set()
        for reply in holders:
            await reply.wait()
    assert gate.answered == ["greedy", "bob", "carol", *["greedy"] * 49]


@pytest.mark.fault("S11")
async def test_a_question_whose_asker_is_gone_is_dropped(tmp_path: Path) -> None:
    gate = Gate()
    async with open_sqlite_journal(tmp_path / "journal.db") as journal, open_backstage() as stage:
        holder = journal.ask(gate.question("holder"), whose="alice")
        await gate.until_begun()
        async with stage.client() as client:
            ref = client.socket.ref
            handle = stage.users.active()[0]
            await handle.connections.terminate_child(client.socket.connection)
            lost = journal.ask(gate.question("in vain"), whose="alice", asker=ref)
        gate.event.set()
        await holder.wait()
        assert await journal.ask(Last(ALICE), whose="alice").wait() == 0
        assert not lost.is_set
        assert journal.statistics().waiting == 0
    assert gate.answered == ["holder"]


@pytest.mark.fault("S11")
async def test_too_many_questions_of_one_user_are_refused_and_no_others(tmp_path: Path) -> None:
    gate = Gate()
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        first = journal.ask(gate.question("greedy"), whose="greedy")
        await gate.until_begun()
        replies = [journal.ask(Last(ALICE), whose="greedy") for _ in range(MOST_QUESTIONS + 1)]
        assert await journal.ask(Last(BOB), whose="bob").wait() == 0
        with pytest.raises(MailboxFull, match="of one asker"):
            await replies[-1].wait()
        gate.event.set()
        await first.wait()
        assert await replies[-2].wait() == 0


async def test_questions_wait_for_no_commit_and_commits_for_no_question(tmp_path: Path) -> None:
    gate = Gate()
    async with open_held(tmp_path) as held:
        stuck = held.append("stuck", record(1))
        assert await held.journal.ask(Last(ALICE)).wait() == 0
        held.release()
        await stuck.wait()
        question = held.journal.ask(gate.question("long"))
        await gate.until_begun()
        await held.append("next", record(2)).wait()
        gate.event.set()
        await question.wait()


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        for database in journal._file.to_read:
            assert database.readonly("main")


async def test_what_is_long_read_does_not_keep_the_file_from_being_closed_whole(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 100))
        replies = [journal.ask(Last(ALICE), whose=n) for n in range(20)]
    assert all(reply.is_set for reply in replies)
    assert not (tmp_path / "journal.db-wal").exists()  # nothing else runs


# Settling


async def statements(journal: SqliteJournal, question: Question[object]) -> list[str]:
    """The statements that answering takes."""
    told: list[str] = []
    for database in journal._file.to_read:
        database.exec_trace = lambda _, sql, __: bool(told.append(sql)) or True
    await journal.ask(question).wait()
    for database in journal._file.to_read:
        database.exec_trace = None
    return told


async def test_settling_a_user_is_one_question_of_as_many_statements_whatever_there_is(
    tmp_path: Path,
) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        question = ReadSettlement(ALICE, POLICIES, now=10)
        few = len(await statements(journal, question))
        await journal.append([*records(1, 150), cursor(150)])
        assert len(await statements(journal, question)) == few <= 16


async def test_the_search_for_overdue_events_walks_along_an_index(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        await journal.append([record(1, user=UserId(f"user-{n}")) for n in range(50)])

        @attrs.frozen
        class Overdue(Question[object]):
            def answer(self, reads: Reads) -> object:
                return reads.overdue(EventClass.PROGRESS, 5, None, 10)

        told = [sql for sql in await statements(journal, Overdue()) if "unsettled" in sql]
        assert told
        for sql in told:
            rows = journal._file.database.execute(
                f"EXPLAIN QUERY PLAN {sql}", ("progress", 5, 0, "", 10)
            )
            plan = " ".join(str(row[-1]) for row in rows)
            assert "SEARCH unsettled USING INDEX unsettled_at" in plan
            assert "SCAN" not in plan
            assert "TEMP B-TREE" not in plan, "it is not sorted either"


async def test_the_search_for_overdue_events_of_runs_walks_along_an_index_too(
    tmp_path: Path,
) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:

        @attrs.frozen
        class Due(Question[object]):
            def answer(self, reads: Reads) -> object:
                return reads.policies_due(5, 10)

        (sql,) = [sql for sql in await statements(journal, Due()) if "run_policy" in sql]
        plan = list(journal._file.database.execute(f"EXPLAIN QUERY PLAN {sql}", (5, 10)))
        (step,) = [row[-1] for row in plan]  # no temporary table beside it
        assert step.startswith("SEARCH run_policy USING COVERING INDEX run_policy_due")


@given(st.random_module(), st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=25))
@settings(max_examples=30, deadline=None)
def test_whatever_is_asked_beside_appends_is_between_what_was_and_what_is(
    seed: object, steps: list[tuple[int, bool]]
) -> None:
    """A question's answer is never older than what was durable when it was asked."""

    async def act(journal: Journal, user: UserId, asks: list[bool]) -> None:
        offset = durable = 0
        for is_question in asks:
            if is_question:
                assert durable <= await journal.ask(Last(user), whose=user).wait() <= offset
            else:
                offset += 1
                await journal.append_soon([record(offset, user=user)]).wait()
                durable = offset

    async def main() -> None:
        with TemporaryDirectory() as directory:
            async with (
                open_sqlite_journal(Path(directory, "journal.db")) as journal,
                trio.open_nursery() as nursery,
            ):
                for number in range(4):
                    own = [asks for whose, asks in steps if whose == number]
                    nursery.start_soon(act, journal, UserId(f"user-{number}"), own)

    trio.run(main)
