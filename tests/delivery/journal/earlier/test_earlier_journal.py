"""A journal that a server of an earlier commit left is read as before, and what is new works."""

from __future__ import annotations

import gzip
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import apsw
import attrs
import pytest
import trio

import greenroom
from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.going_on import GoesOn, GoingOn, StepResult
from greenroom.delivery.events.ids import IdSource, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.policy import Policy, RunPolicy
from greenroom.delivery.events.record import Bounds, FailureCause, Record, Settled
from greenroom.delivery.events.threads import Thread
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question, ReadAskEnd, ReadOpenAsks, Reads, ReadThreads
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs, SweptTo
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.journal.sqlite.schema import LATER
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_compaction import compact
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.transport.auth.tokens import sign_token
from greenroom.transport.client import Position
from tests.delivery.journal.earlier.make_journal import SECRET, connected, served
from tests.delivery.journal.journal_conformance import ASKS, record
from tests.delivery.journal.journal_story import rows

HERE = Path(__file__).parent
EARLIER = "503b3c6"
ALICE, BOB = UserId("alice"), UserId("bob")
TITLES = {ALICE: ["wait", "what do we spend?", "crash"], BOB: ["and now?", "what did it cost?"]}
NEW = {
    "thread",
    "going_on",
    "step_result",
    "received",
    "ask",
    "run_policy",
    "cause",
    "crash",
    "ban",
    "file",
    "file_part",
    "forgotten",
}
IDS = IdSource()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A copy of the journal, as the kill left it."""
    path = tmp_path / "journal.db"
    path.write_bytes(gzip.decompress((HERE / f"journal_of_{EARLIER}.db.gz").read_bytes()))
    path.chmod(0o600)
    return path


@attrs.frozen
class ReadRuns(Question[tuple[list[GoingOn], str | None, list[RunPolicy]]]):
    """What goes on, the result of the step `charge`, and the policies of a user's runs."""

    user: UserId
    run: RunId

    def answer(self, reads: Reads) -> tuple[list[GoingOn], str | None, list[RunPolicy]]:
        step = reads.runs.step_result(self.user, self.run, "charge")
        return reads.runs.going_on(self.user), step, reads.run_policies(self.user)


async def log(journal: Journal, user: UserId) -> list[Record]:
    return await journal.read(user, after=0, limit=1_000, max_bytes=1 << 20)


async def threads(journal: Journal, user: UserId) -> list[Thread]:
    return list((await journal.ask(ReadThreads(user, None, 100, archived=False)).wait()).threads)


def flaws(path: Path) -> list[str]:
    with closing(apsw.Connection(str(path))) as database:
        return list(check(database))


async def test_all_that_was_kept_is_read_as_before_and_the_file_has_the_new_tables(
    path: Path,
) -> None:
    before = rows(path)
    assert not NEW & set(before)
    assert set(LATER) <= NEW
    async with open_sqlite_journal(path) as journal:
        assert await journal.bounds(ALICE) == Bounds(1, 36)
        assert [each.offset for each in await log(journal, BOB)] == list(range(1, 23))
        assert {run.parent for run in await journal.open_runs(ALICE)} >= {None}
        assert len(await journal.open_runs(ALICE)) == 2
        assert len(await journal.dead_letters(limit=9)) == 6
        assert [mark.offset for mark in await journal.marks(ALICE, after=0, limit=9)] == [
            27,
            27,
            28,
        ]
        assert await journal.received_through(ALICE, 0) == 28
        assert (await journal.settled(BOB))[EventClass.CRITICAL] == 11
    after = rows(path)
    assert {name: after[name] for name in before} == before
    assert set(after) >= NEW
    assert flaws(path) == []


@pytest.mark.requirement("R50")
async def test_threads_are_listed_with_titles_and_how_many_runs_they_had(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        for user, titles in TITLES.items():
            assert [each.title for each in await threads(journal, user)] == titles
        assert [each.runs for each in await threads(journal, ALICE)] == [1, 2, 1]
        _, costs, _ = await threads(journal, ALICE)
        await journal.change_thread_soon(ALICE, costs.thread, title="Costs", archived=True).wait()
        assert [each.title for each in await threads(journal, ALICE)] == ["wait", "crash"]
    assert flaws(path) == []


async def test_what_is_new_about_runs_questions_and_bans_is_kept_in_it(path: Path) -> None:
    """A run that goes on with a step and a policy, a question, a cause and a ban."""
    run, thread = IDS.new(RunId), IDS.new(ThreadId)
    policy = RunPolicy(ALICE, run, EventClass.CRITICAL, Policy(expires_after=9), 0, None)
    begun = [
        record(37 + number, kind=kind, run=run, thread=thread)
        for number, kind in enumerate((Kind.USER_SAID, Kind.AGENT_STARTED, Kind.INPUT_REQUESTED))
    ]
    failed = record(41, kind=Kind.AGENT_FAILED, run=run, thread=thread)
    cause = FailureCause(ALICE, failed.id, run, 1, "builtins:ValueError", "no", "Traceback")
    step = StepResult(ALICE, run, "charge", '"paid"', 1)
    async with open_sqlite_journal(path) as journal:
        await journal.append([begun[0], GoesOn(ALICE, run, "shop"), policy])
        await journal.append([*begun[1:], step])
        await journal.append([Ban(BOB, 1 << 60, 1)])
    async with open_sqlite_journal(path) as journal:
        (going_on,), result, policies = await journal.ask(ReadRuns(ALICE, run)).wait()
        assert (going_on.run, going_on.agent, going_on.attempt) == (run, "shop", 1)
        assert (result, policies) == ('"paid"', [policy])
        assert await journal.ask(ReadOpenAsks(ALICE)).wait() == [begun[2]]
        assert await journal.bans(limit=9) == [Ban(BOB, 1 << 60, 1)]
        answered = record(40, kind=Kind.INPUT_ANSWERED, run=run, thread=thread)
        await journal.append([answered, failed, cause])
        assert await journal.ask(ReadAskEnd(ALICE, ASKS[0])).wait() == answered
        assert await journal.cause(failed.id) == cause
        assert await journal.ask(ReadRuns(ALICE, run)).wait() == ([], None, [policy])


@pytest.mark.requirement("R48")
async def test_retention_forgets_what_has_its_outcome_and_keeps_the_open_run(path: Path) -> None:
    place: SweptTo | None = BEGINNING
    async with open_sqlite_journal(path) as journal:
        await journal.append([Settled(ALICE, each, 36) for each in EventClass])
        while place is not None:
            place = (await journal.sweep(Cutoffs(keep_events=1), place)).next
        assert await journal.bounds(ALICE) == Bounds(29, 36), "the open run began at 29"
        assert (await journal.bounds(BOB)).first == 3, "bob's progress is settled through 2"
        assert [each.title for each in await threads(journal, ALICE)] == ["wait"]
    assert flaws(path) == []


@pytest.mark.requirement("R50", "R55")
async def test_a_thread_and_a_user_are_erased_from_it(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        costs = (await threads(journal, ALICE))[1].thread
        while await journal.erase_thread_soon(ALICE, costs, through=36).wait():
            pass
        assert [each.title for each in await threads(journal, ALICE)] == ["wait", "crash"]
        assert await journal.marks(ALICE, after=0, limit=9) == []
        while await journal.erase_user_soon(BOB).wait():
            pass
        assert await log(journal, BOB) == []
        assert await journal.dead_letters(limit=9) == []
    assert flaws(path) == []


@pytest.mark.requirement("R55")
async def test_once_it_was_compacted_nothing_of_an_erased_user_is_left_in_its_pages(
    path: Path,
) -> None:
    """The version before did not overwrite what it moved: a copy may stand in a page in use."""
    compact(path, before_ms=None, keep=None)
    assert found(path, b"what did it cost?") > 0
    async with open_sqlite_journal(path) as journal:
        while await journal.erase_user_soon(BOB).wait():
            pass
    assert found(path, b"what did it cost?") == 0


def found(path: Path, words: bytes) -> int:
    """How often the words stand in the file's bytes."""
    return path.read_bytes().count(words)


@pytest.mark.parametrize("is_opened", [False, True])
async def test_an_export_of_it_is_imported_as_the_same_journal(path: Path, is_opened: bool) -> None:
    if is_opened:
        async with open_sqlite_journal(path):
            pass
    copy, lines = path.with_name("copy.db"), list[bytes]()
    export_journal(path, lines.append)
    import_journal(copy, lines)
    assert content(copy) == content(path)
    assert flaws(copy) == []


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows, but for the pauses of servers and the highest number."""
    return {
        name: found for name, found in rows(path).items() if name not in ("meta", "sqlite_sequence")
    }


async def test_todays_server_ends_the_run_that_the_kill_left_and_resumes_its_user(
    path: Path,
) -> None:
    (session,) = {SessionId.trusted(str(row[1])) for row in rows(path)["cursor"] if row[0] == ALICE}
    async with open_sqlite_journal(path) as journal:
        epoch, last = journal.epoch, (await log(journal, ALICE))[-1]
    settings = greenroom.Settings(port=0, journal=str(path), secret=SECRET)
    position = Position(session, epoch, last.offset, last.id)
    async with greenroom.open_runtime(settings, answering) as runtime:
        url = f"ws://127.0.0.1:{await runtime.listen()}"
        token = sign_token(SECRET, ALICE, ttl_seconds=60)
        async with greenroom.connect(url, token=token, position=position) as client:
            started = await client.say("go on", thread=last.thread)
            found: list[greenroom.Event] = []
            with trio.fail_after(30):
                async for event in client.events():
                    found.append(event)
                    if event.run == started.run and event.kind == Kind.AGENT_COMPLETED:
                        break
            titles = [each.title for each in (await client.threads(limit=9)).threads]
    assert [event.offset for event in found] == list(range(37, 37 + len(found)))
    assert [event.kind for event in found].count(Kind.AGENT_FAILED) == 2, "the run and its sub-run"
    assert titles == TITLES[ALICE]
    assert flaws(path) == []


async def answering(run: greenroom.Run, said: greenroom.JSON) -> None:
    await run.final_report(report={"answer": said})


def has_commit(git: str, root: Path) -> bool:
    asked = [git, "cat-file", "-e", EARLIER]
    return not subprocess.run(asked, cwd=root, capture_output=True, check=False).returncode


@pytest.fixture
def earlier(tmp_path: Path) -> dict[str, str]:
    """An environment in which Python imports the version before."""
    git, root = shutil.which("git"), HERE.parents[3]
    if git is None or not has_commit(git, root):
        pytest.skip(f"needs git, and commit {EARLIER}")
    tree = tmp_path / "earlier"
    tree.mkdir()
    packed = subprocess.run([git, "archive", EARLIER], cwd=root, check=True, capture_output=True)
    subprocess.run(["tar", "x"], cwd=tree, input=packed.stdout, check=True)
    return {"PYTHONPATH": str(tree / "src")}


async def test_the_version_before_serves_the_file_again_and_nothing_that_it_does_is_lost(
    path: Path, earlier: dict[str, str]
) -> None:
    async with open_sqlite_journal(path) as journal:
        costs = (await threads(journal, ALICE))[1].thread
        await journal.change_thread_soon(ALICE, costs, title="Costs", archived=None).wait()
    with served(path, earlier) as (process, url):
        with connected(url, ALICE) as alice:
            alice.say("an old friend")
            alice.hear("agent_completed")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    async with open_sqlite_journal(path) as journal:
        assert await journal.open_runs(ALICE) == []
        listed = {each.title: each.runs for each in await threads(journal, ALICE)}
        assert listed == {"an old friend": 1, "wait": 1, "Costs": 2, "crash": 1}
    assert flaws(path) == []


@pytest.mark.requirement("R44")
async def test_a_question_that_the_version_before_cannot_read_is_open_again_afterwards(
    path: Path, earlier: dict[str, str]
) -> None:
    """Meanwhile that version serves other users, and the one who was asked what is new."""
    run, thread = IDS.new(RunId), IDS.new(ThreadId)
    asked = record(37, kind=Kind.INPUT_REQUESTED, run=run, thread=thread)
    async with open_sqlite_journal(path) as journal:
        await journal.append([asked])
    with served(path, earlier) as (process, url):
        for user in (ALICE, BOB):
            with connected(url, user) as client:
                client.say("an old friend")
                client.hear("agent_completed")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    async with open_sqlite_journal(path) as journal:
        assert await journal.ask(ReadOpenAsks(ALICE)).wait() == [asked]
        kinds = [each.kind for each in await log(journal, ALICE)]
        assert kinds.count(Kind.AGENT_COMPLETED) == 3
