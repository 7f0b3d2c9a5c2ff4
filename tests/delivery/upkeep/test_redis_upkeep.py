"""Reading, checking, exporting and importing a journal in Redis, beside its servers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.history.usage_reader import usage_pieces
from greenroom.delivery.journal.sql.reader import ReadBeside, SqlReader
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.delivery.upkeep.journal_intake import NotMixed
from greenroom.delivery.upkeep.journal_lines import BadExport
from greenroom.delivery.upkeep.journal_upkeep import no_progress
from tests.delivery.journal.journal_conformance import ALICE, record
from tests.delivery.journal.journal_story import EPOCH, TURN, native, rows, turn, write_story
from tests.delivery.journal.redis_server import (
    NEEDS_REDIS,
    number_of,
    opened,
    redis_server,
    redis_url_of,
)

if TYPE_CHECKING:
    from greenroom.delivery.upkeep.redis.whole_redis import WholeRedis

pytestmark = [NEEDS_REDIS, pytest.mark.requirement("R43")]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return redis_url_of(tmp_path)


@pytest.fixture
def there(url: str) -> WholeRedis:
    from greenroom.delivery.upkeep.redis.whole_redis import WholeRedis

    return WholeRedis(url)


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """The export of a file."""
    lines: list[bytes] = []
    write_story(tmp_path / "journal.db", "alice", "bob", "zoë·日本")
    export_journal(tmp_path / "journal.db", lines.append)
    return lines


def exported_from(there: WholeRedis) -> list[bytes]:
    lines: list[bytes] = []
    there.export_to(lines.append, no_progress)
    return lines


def test_a_file_moves_to_redis_and_back_row_by_row(
    lines: list[bytes], there: WholeRedis, tmp_path: Path
) -> None:
    done = there.import_from(lines, no_progress)
    assert done.rows == len(lines) - 2
    assert list(there.flaws(no_progress)) == []
    assert exported_from(there) == lines
    import_journal(tmp_path / "back.db", exported_from(there))
    assert rows(tmp_path / "back.db") == rows(tmp_path / "journal.db")


async def test_a_server_goes_on_with_what_was_imported(
    lines: list[bytes], url: str, there: WholeRedis
) -> None:
    await trio.to_thread.run_sync(there.import_from, lines, no_progress)
    async with opened(url) as journal:
        assert journal.epoch == EPOCH
        bounds = await journal.bounds(ALICE)
        await journal.append([*turn(ALICE, bounds.last + 1, thread=native(ThreadId))])
        assert (await journal.bounds(ALICE)).last == bounds.last + len(TURN)


def test_an_import_that_fails_leaves_the_journal_as_it_was(
    lines: list[bytes], there: WholeRedis
) -> None:
    there.import_from(lines, no_progress)
    with pytest.raises(NotMixed, match="already has entries of user 'alice'"):
        there.import_from(lines, no_progress)
    assert exported_from(there) == lines


def test_the_line_that_is_wrong_is_named_and_nothing_is_kept(
    lines: list[bytes], there: WholeRedis
) -> None:
    with pytest.raises(BadExport, match=r"line 4: log has user 'alice'"):
        there.import_from([*lines[:3], lines[2], *lines[3:]], no_progress)
    assert len(exported_from(there)) == 2, "the header and the end"


def test_what_a_server_wrote_during_an_import_stays_and_the_import_is_refused(
    lines: list[bytes], there: WholeRedis, tmp_path: Path
) -> None:
    def lines_with_a_commit_between() -> Iterator[bytes]:
        yield from lines[:3]
        there.import_from(story_of("carol", tmp_path), no_progress)
        yield from lines[3:]

    with pytest.raises(JournalBusy, match=r"wrote to Redis .* meanwhile, and nothing was imported"):
        there.import_from(lines_with_a_commit_between(), no_progress)
    users = {line.split(b'"user":"')[1].split(b'"')[0] for line in exported_from(there)[1:-1]}
    assert users == {b"carol"}


class Cut(BaseException):
    """The end of the process."""


def test_an_import_that_is_cut_leaves_the_journal_as_it_was_and_is_begun_again(
    lines: list[bytes],
    there: WholeRedis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from greenroom.delivery.upkeep.redis import staging

    before = story_of("carol", tmp_path)
    there.import_from(before, no_progress)
    monkeypatch.setattr(staging, "ROWS_AT_ONCE", 3)
    with monkeypatch.context() as cut:
        cut.setattr(staging.Staging, "take", cut_off)
        cut.setattr(staging.Staging, "end", lambda _: None)
        with pytest.raises(Cut):
            there.import_from(lines, no_progress)
    assert keys_of_imports(tmp_path)
    assert exported_from(there) == before
    assert list(there.flaws(no_progress)) == []
    there.import_from(lines, no_progress)
    assert "had a part of an import that was cut: it is removed" in caplog.text
    assert sorted(exported_from(there)[1:-1]) == sorted([*before[1:-1], *lines[1:-1]])
    assert list(there.flaws(no_progress)) == []
    assert not keys_of_imports(tmp_path)


def cut_off(_: object) -> None:
    raise Cut


def keys_of_imports(directory: Path) -> list[bytes]:
    answer = redis_server().command("KEYS", "greenroom:import*", number=number_of(directory))
    return answer.split()[2::2]


def test_an_import_ends_when_another_one_begins(url: str) -> None:
    from greenroom.delivery.journal.redis.rows import Change
    from greenroom.delivery.upkeep.redis.staging import staging
    from greenroom.delivery.upkeep.redis.whole_redis import held

    row = Change("forgotten", "alice", ("alice",), ("alice", 1))
    with held(url, EPOCH) as mirror, staging(mirror.holding) as other:
        with staging(mirror.holding) as first:
            first.bring([row])
            other.begin()
            other.bring([row])
            with pytest.raises(JournalBusy, match=r"another import into Redis .* has begun"):
                first.bring([row])
            with pytest.raises(JournalBusy, match="another import"):
                first.take()
        other.take()
    with held(url, EPOCH) as mirror:
        assert mirror.database.execute("SELECT user, through FROM forgotten").fetchall() == [
            ("alice", 1)
        ]


async def test_a_server_that_runs_reads_what_was_imported_and_goes_on(
    lines: list[bytes], url: str, there: WholeRedis
) -> None:
    """It had heard of all commits but the last one before the import."""
    carol = UserId("carol")
    async with opened(url) as journal, opened(url) as other:
        await other.append([*turn(carol, 1, thread=native(ThreadId))])
        await trio.to_thread.run_sync(there.import_from, lines, no_progress)
        last = (await journal.bounds(ALICE)).last
        await journal.append([*turn(ALICE, last + 1, thread=native(ThreadId))])
        await journal.append([record(len(TURN) + 1, user=carol)])
        assert (await other.bounds(ALICE)).last == last + len(TURN)
        assert (await other.bounds(carol)).last == len(TURN) + 1


async def test_a_reader_reads_one_state_and_reads_on_when_it_is_asked(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(url) as journal:
        await journal.append([record(1)])
        reader = await trio.to_thread.run_sync(reader_of, url)
        await journal.append([record(2)])
        assert [each.record.offset for each in reader.read()] == [1]
        assert await trio.to_thread.run_sync(reader.settled) == 2
        assert [each.record.offset for each in reader.read(after=1)] == [2]


async def test_usage_can_be_counted_beside_a_server(url: str) -> None:
    async with opened(url) as journal:
        assert isinstance(journal, ReadBeside)
        reader = journal.reader()
        await journal.append([record(1)])
        pieces = await trio.to_thread.run_sync(list, usage_pieces(reader, since=0, rows=500))
        assert [event.user for piece in pieces for event in piece] == [ALICE]


async def test_what_is_committed_while_a_reader_reads_all_is_in_its_copy_as_a_whole(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenroom.delivery.journal.redis import mirror

    all_rows = mirror.all_rows

    async with opened(url) as journal:
        await journal.append([record(1), record(2)])

        def and_a_commit_between(*of_what: Any) -> Iterator[object]:
            yield from all_rows(*of_what)
            trio.from_thread.run(journal.append, [record(3)])
            trio.from_thread.run(partial(journal.trim, ALICE, through=1))

        monkeypatch.setattr(mirror, "all_rows", and_a_commit_between)
        reader = await trio.to_thread.run_sync(reader_of, url)
        assert [each.record.offset for each in reader.read()] == [2, 3]
        assert (await journal.bounds(ALICE)).last == 3


def reader_of(url: str) -> SqlReader:
    from greenroom.delivery.journal.redis.reader import RedisReader

    return RedisReader(url)


def story_of(user: str, directory: Path) -> list[bytes]:
    lines: list[bytes] = []
    write_story(directory / f"{user}.db", user)
    export_journal(directory / f"{user}.db", lines.append)
    return lines


@pytest.mark.parametrize(
    ("row", "said"),
    [("span", "begins a stretch in"), ("open_run", "is not listed as open")],
)
def test_check_finds_a_row_that_is_gone(
    row: str, said: str, lines: list[bytes], there: WholeRedis, tmp_path: Path
) -> None:
    there.import_from(lines, no_progress)
    redis_server().command("DEL", f"greenroom:rows:{row}:{{alice}}", number=number_of(tmp_path))
    assert any(said in flaw for flaw in there.flaws(no_progress))
