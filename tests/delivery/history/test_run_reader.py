"""A run is found by what somebody has of its id, in the journal of a running server too."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
import trio

from greenroom.delivery.errors import JournalCorrupt
from greenroom.delivery.events.ids import BadId, RunId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.history import run_reader
from greenroom.delivery.history.run_reader import NoSuchRun, find_run, read_timeline
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.legacy.legacy_ids import modern
from tests.delivery.history.run_story import Afternoon, Author, write
from tests.delivery.journal.journal_conformance import RUNS, record
from tests.delivery.journal.journal_story import execute

pytestmark = pytest.mark.requirement("R38")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def afternoon(path: Path) -> Afternoon:
    afternoon = Afternoon()
    write(path, *afternoon.entries)
    return afternoon


def test_what_it_reads_is_the_whole_story(path: Path, afternoon: Afternoon) -> None:
    story = read_timeline(JournalReader(path), afternoon.run)
    assert [m.event.offset for m in story.moments] == [2, 3, *range(5, 13)]
    assert [len(m.sights) for m in story.moments] == [1, 1, 1, 1, 2, 2, 2, 2, 1, 1]
    assert story.moments[-1].letter == afternoon.letter


@pytest.mark.parametrize("part", [slice(None), slice(-8, None), slice(0, 24), slice(4, 25)])
def test_a_run_is_found_by_the_whole_the_beginning_or_the_end_of_its_id(
    part: slice, path: Path, afternoon: Afternoon
) -> None:
    assert find_run(JournalReader(path), afternoon.run[part]).run == afternoon.run


def test_a_beginning_that_several_have_is_refused_naming_them(
    path: Path, afternoon: Afternoon
) -> None:
    with pytest.raises(NoSuchRun, match="matches 3 runs: run_") as refused:
        find_run(JournalReader(path), afternoon.run[:12])
    assert afternoon.other in refused.value.message


def test_a_run_whose_events_seem_older_than_itself_is_found(path: Path) -> None:
    author = Author()
    author.now = 3_600_000
    run = author.run()
    write(path, author.tell(0, run, Kind.AGENT_STARTED, agent="a"))  # a clock was set back
    assert find_run(JournalReader(path), run).run == run


@pytest.mark.requirement("R19")
@pytest.mark.parametrize("migrated", [True, False])
def test_a_run_of_an_older_system_is_found_by_its_old_id(path: Path, migrated: bool) -> None:
    old = "websocket_factory_1757371363786"
    kept = modern(RunId, old) if migrated else RunId.trusted(old)
    author = Author()
    write(path, author.tell(0, kept, Kind.AGENT_STARTED, agent="a"))
    assert find_run(JournalReader(path), old).run == kept


def test_an_id_of_another_kind_is_refused_naming_both(path: Path, afternoon: Afternoon) -> None:
    with pytest.raises(BadId, match="expected a run id, got thread"):
        find_run(JournalReader(path), afternoon.records[0].thread)


def test_an_unknown_run_is_told_of(path: Path, afternoon: Afternoon) -> None:
    with pytest.raises(NoSuchRun, match="has no run 'run_7zzzzzzzzzzzzzzzzzzzzzzzzz'"):
        find_run(JournalReader(path), "run_7zzzzzzzzzzzzzzzzzzzzzzzzz")


@pytest.mark.fault("W17")
@pytest.mark.parametrize("text", ["zzzz", "run_zzzz", "zzz", "u", "ZZZ", "thread_z", "o'clock"])
def test_what_no_run_begins_or_ends_with_is_told_so(
    text: str, path: Path, afternoon: Afternoon
) -> None:
    with pytest.raises(NoSuchRun) as unknown:
        find_run(JournalReader(path), text)
    assert unknown.value.message == f"no run in {path} begins or ends with {text!r}"


@pytest.mark.fault("W17")
def test_one_character_is_a_beginning_too(path: Path, afternoon: Afternoon) -> None:
    with pytest.raises(NoSuchRun, match="matches 3 runs"):
        find_run(JournalReader(path), "0")


@pytest.mark.fault("W17")
@pytest.mark.parametrize("text", ["", "a b", "\x1b[2J", "\udcff"])
def test_what_is_in_no_id_is_refused(text: str, path: Path, afternoon: Afternoon) -> None:
    with pytest.raises(BadId, match="expected a run id"):
        find_run(JournalReader(path), text)


def test_a_search_reports_how_far_it_is(
    path: Path, afternoon: Afternoon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_reader, "CHUNK", 5)
    seen: list[tuple[int, int]] = []
    progress = lambda _, done, total: seen.append((done, total))  # noqa: E731  # a list of calls
    assert find_run(JournalReader(path), afternoon.run[-8:], progress).number == 2
    assert seen == [(5, 12), (10, 12), (12, 12)]


def test_a_damaged_event_is_named_with_what_to_do(path: Path, afternoon: Afternoon) -> None:
    execute(path, "UPDATE log SET body = CAST('{}' AS BLOB) WHERE number = 3")
    with pytest.raises(JournalCorrupt, match="is damaged") as told:
        read_timeline(JournalReader(path), afternoon.run)
    assert "journal check" in told.value.advice


async def test_beside_a_writer_it_holds_neither_it_nor_its_wal(path: Path) -> None:
    afternoon = Afternoon()
    async with open_sqlite_journal(path) as journal:
        await journal.append(afternoon.entries)
        reader = JournalReader(path)
        assert len(read_timeline(reader, afternoon.run).moments) == 10
        await journal.append([record(len(afternoon.records) + 1, run=RUNS[0])])
        database = journal._file.database
        done = await trio.to_thread.run_sync(
            lambda: database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        )
        assert done == (0, 0)
