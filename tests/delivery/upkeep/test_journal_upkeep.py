"""Checking, migrating, compacting, exporting and importing journals, killed at any moment."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import apsw
import orjson
import pytest

from greenroom.delivery.errors import (
    JournalBusy,
    JournalCorrupt,
    JournalFailed,
    JournalTooNew,
)
from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.file import open_file
from greenroom.delivery.journal.sqlite.schema import DERIVED
from greenroom.delivery.legacy.legacy_ids import modern, recognised
from greenroom.delivery.legacy.legacy_rows import ID_COLUMNS
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_compaction import Compacted, compact
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.delivery.upkeep.journal_intake import NotMixed
from greenroom.delivery.upkeep.journal_lines import BYTES_COLUMNS, JSON_COLUMNS, BadExport
from greenroom.delivery.upkeep.journal_migration import NotMigratable, migrate
from greenroom.delivery.upkeep.journal_upkeep import backups, open_for_upkeep
from greenroom.delivery.upkeep.sql_tables import tables
from tests.delivery.journal.journal_story import (
    EPOCH,
    IDS,
    START_MS,
    execute,
    legacy,
    native,
    rows,
    write_story,
)

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
BACKUP = "journal.db.backup-20261121T030000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def story(path: Path) -> Path:
    write_story(path, "alice", "bob")
    return path


@pytest.fixture
def old(path: Path) -> Path:
    """A journal of an older system's ids, of a user whose id looks like one, and of a new user."""
    write_story(path, "alice", "analyst_1757371363786", new=legacy)
    write_story(path, "carol", new=native)
    return path


def flaws(path: Path) -> list[str]:
    with open_for_upkeep(path) as file:
        return list(check(file.database))


def files(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()} - {f"{path.name}.lock"}


def strings(value: object) -> Iterable[str]:
    """Every text in rows, and in the JSON in them."""
    match value:
        case str():
            yield value
        case bytes():
            yield from strings(orjson.loads(value))
        case dict():
            for each in value.values():
                yield from strings(each)
        case list() | tuple():
            for each in value:
                yield from strings(each)


# --- migrate


@pytest.mark.requirement("R19")
def test_a_migrated_journal_has_new_ids_everywhere_and_is_sound(old: Path) -> None:
    before = rows(old)
    done = migrate(old, now=NOW)
    after = rows(old)
    assert flaws(old) == []
    assert {text for text in strings(list(after.values())) if recognised(text)} == {
        "analyst_1757371363786"  # a user's: those are opaque
    }
    assert done.rows == {"log": 42, "span": 4, "open_run": 2, "cursor": 2, "mark": 2, "thread": 4}
    assert {name: len(each) for name, each in after.items() if name != "settled"} == {
        name: len(each) for name, each in before.items() if name != "settled"
    }
    old_users = {row[1] for row in before["log"] if recognised(str(row[7]))}
    assert {row[:2] for row in after["settled"]} == {
        (user, each) for user in old_users for each in EventClass
    }, "nobody is alarmed about what an older system had accepted"
    assert after["meta"] == before["meta"], "clients resume: the epoch is the same"


@pytest.mark.requirement("R18", "R19")
def test_each_id_becomes_the_one_it_always_becomes_and_offsets_and_data_stay(old: Path) -> None:
    before = [orjson.loads(row[-1]) for row in rows(old)["log"]]  # type: ignore[arg-type]  # bodies
    migrate(old)
    after = [orjson.loads(row[-1]) for row in rows(old)["log"]]  # type: ignore[arg-type]  # bodies
    for one, other in zip(before, after, strict=True):
        assert other["run"] == modern(RunId, one["run"])
        assert list(one) == list(other)
        assert {**one["data"], "tool_call": 0} == {**other["data"], "tool_call": 0}
        assert (one["offset"], one["at"]) == (other["offset"], other["at"])
    runs = {event["run"]: event["thread"] for event in after}
    assert all(event["thread"] == runs[event["run"]] for event in after)


@pytest.mark.requirement("R20")
def test_the_journal_answers_for_a_legacy_thread_as_it_did(old: Path) -> None:
    user = UserId("alice")
    with open_for_upkeep(old) as file:
        before = SqlStore(file.database).threads(user)
    migrate(old)
    with open_for_upkeep(old) as file:
        store = SqlStore(file.database)
        for thread in before:
            new = modern(type(thread.thread), thread.thread)
            page = store.history(user, new, None, 200)
            assert len(page.records) == thread.events
        assert len(store.open_runs(user)) == 1


def test_the_journal_as_it_was_is_kept_beside_it(old: Path) -> None:
    before = rows(old)
    done = migrate(old, now=NOW)
    assert done.backup == old.with_name(BACKUP)
    assert rows(done.backup) == before
    assert files(old) == {old.name, BACKUP}


def test_migrating_again_does_nothing_not_even_a_backup(old: Path) -> None:
    migrate(old, now=NOW)
    once = rows(old)
    assert migrate(old).rows == {}
    assert rows(old) == once
    assert files(old) == {old.name, BACKUP}


def test_a_second_backup_of_the_same_second_gets_a_name_of_its_own(old: Path) -> None:
    old.with_name(BACKUP).write_bytes(b"precious")
    assert migrate(old, now=NOW).backup == old.with_name(f"{BACKUP}-2")
    assert old.with_name(BACKUP).read_bytes() == b"precious"


def test_a_journal_that_is_as_its_last_backup_gets_no_other(story: Path) -> None:
    first = compact(story, now=NOW).backup
    assert first == compact(story).backup
    assert backups(story) == [first]
    compact(story, keep=1)
    assert backups(story) == [first]
    second = compact(story).backup
    assert backups(story) == [second, first]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = 'another'",
        "UPDATE mark SET note = 'spoilt'",
        "DELETE FROM mark WHERE user = 'bob'",
        "DROP TABLE settled",
    ],
)
def test_a_backup_that_differs_is_not_taken_for_a_new_one(change: str, story: Path) -> None:
    first = compact(story, now=NOW).backup
    assert first
    execute(first, change)
    spoilt = first.read_bytes()
    second = compact(story).backup
    assert second
    assert second != first
    assert rows(second) == rows(story)
    assert first.read_bytes() == spoilt


def test_a_damaged_backup_is_not_taken_for_a_new_one(story: Path) -> None:
    first = compact(story, now=NOW).backup
    assert first
    damage_an_index(first)
    assert compact(story).backup != first


def test_a_damaged_journal_is_not_migrated_because_it_was_sound_once(old: Path) -> None:
    compact(old, now=NOW)
    damage_an_index(old)
    with pytest.raises(JournalCorrupt, match="is damaged"):
        migrate(old)


def test_a_backup_goes_only_with_the_import_that_made_it(story: Path) -> None:
    compact(story, now=NOW)
    with pytest.raises(BadExport):
        imported(story, EMPTY.replace(b'"end":0', b'"end":1'))
    assert files(story) == {story.name, BACKUP}


def test_a_copy_that_fails_leaves_nothing(old: Path) -> None:
    def stop(what: str, _done: int, _total: int) -> None:
        if what == "verifying the copy":
            raise KeyboardInterrupt

    write_story(old, "dora", turns=200, new=legacy)
    for to in (None, old.with_name("new.db")):
        with pytest.raises(KeyboardInterrupt):
            migrate(old, to=to, now=NOW, progress=stop)
        assert files(old) == {old.name}


def test_a_copy_into_no_directory_is_refused_naming_it(old: Path) -> None:
    with pytest.raises(JournalFailed, match=f"there is no directory {old.parent / 'typo'}"):
        migrate(old, to=old.parent / "typo" / "new.db")


def test_migrating_to_a_new_file_leaves_the_old_one_alone(old: Path) -> None:
    before = rows(old)
    new = old.with_name("new.db")
    assert migrate(old, to=new).backup is None
    assert rows(old) == before
    assert flaws(new) == []
    migrate(old)
    assert rows(old) == rows(new)
    assert files(old) >= {"new.db"}
    assert not any(name.endswith(".part") for name in files(old))


def test_a_file_that_is_there_is_not_overwritten(old: Path) -> None:
    new = old.with_name("new.db")
    new.write_bytes(b"precious")
    for work in (migrate, compact):
        with pytest.raises(JournalFailed, match="exists already"):
            work(old, to=new)
    assert new.read_bytes() == b"precious"


@pytest.mark.requirement("R17", "R19")
def test_an_id_of_no_known_form_refuses_the_whole_before_anything_is_written(old: Path) -> None:
    execute(old, "UPDATE log SET run = 'mystery-7' WHERE number = 3")
    execute(old, "UPDATE cursor SET session = 'req_a1b2c3d4e5f6' WHERE user = 'carol'")
    before = rows(old)
    with pytest.raises(NotMigratable) as refused:
        migrate(old)
    assert (
        "log: expected a run id, got other text, perhaps a user: 'mystery-7'"
        in refused.value.message
    )
    assert "cursor: expected a session id, got a legacy request id" in refused.value.message
    assert "greenroom ids explain" in refused.value.advice
    assert rows(old) == before
    assert files(old) == {old.name}


def test_a_session_that_came_back_under_its_new_id_keeps_the_cursor_that_is_further(
    old: Path,
) -> None:
    (text,) = (row[1] for row in rows(old)["cursor"] if row[0] == "alice")
    columns = ", ".join(f'"{name}"' for name in columns_of(old, "cursor") if name != "session")
    new = modern(ID_COLUMNS["session"], str(text))
    copied = f"SELECT {columns}, ? FROM cursor WHERE user = 'alice'"
    execute(old, f"INSERT INTO cursor ({columns}, session) {copied}", new)
    execute(old, 'UPDATE cursor SET "offset" = 9 WHERE session = ?', new)
    migrate(old)
    with open_for_upkeep(old) as file:
        found = file.database.execute(
            'SELECT session, "offset" FROM cursor WHERE user = ?', ("alice",)
        ).fetchall()
    assert found == [(new, 9)]


def columns_of(path: Path, table: str) -> tuple[str, ...]:
    with open_for_upkeep(path) as file:
        return next(each.columns for each in tables(file.database) if each.name == table)


def test_a_damaged_journal_is_not_migrated(old: Path) -> None:
    damage_an_index(old)
    with pytest.raises(JournalCorrupt, match="is damaged"):
        migrate(old, now=NOW)
    assert BACKUP not in files(old)


def damage_an_index(path: Path) -> None:
    """No query of ours that reads all rows notices."""
    with closing(apsw.Connection(str(path))) as database:
        root = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'log_user_say'")
        page = int(str(root.get))
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096 + 2000)
        file.write(b"\xff" * 2096)


def test_a_copy_that_differs_in_a_row_is_no_backup(old: Path) -> None:
    write_story(old, "dora", turns=200, new=legacy)

    def spoil(what: str, _done: int, _total: int) -> None:
        if what == "verifying the copy":
            execute(old.with_name(f"{BACKUP}.part"), "UPDATE mark SET note = 'spoilt'")

    before = rows(old)
    with pytest.raises(JournalCorrupt, match="differs from it in mark"):
        migrate(old, now=NOW, progress=spoil)
    assert rows(old) == before
    assert BACKUP not in files(old)


# --- killed at any moment

MOMENTS = {
    "migrate": [
        *("looking for legacy ids", "copying", "verifying the copy"),
        *("giving new ids", "giving new ids, the last row"),
    ],
    "compact": ["copying", "verifying the copy", "forgetting", "giving space back"],
    "import": ["importing", "checking the file", "checking ids and events"],
}
KILLED = """
import os, signal, sys
from pathlib import Path
from greenroom.delivery.upkeep.journal_compaction import compact
from greenroom.delivery.upkeep.journal_export import import_journal
from greenroom.delivery.upkeep.journal_migration import migrate

def progress(what, done, total):
    if what == sys.argv[3] or done == total and f"{what}, the last row" == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[2])
match sys.argv[1]:
    case "migrate": migrate(path, progress=progress)
    case "copy": migrate(path, to=path.with_name("new.db"), progress=progress)
    case "compact": compact(path, keep=7, progress=progress)
    case "import": import_journal(path, open(path.with_name("lines"), "rb"), progress=progress)
"""


def kill(work: str, path: Path, moment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, work, path, moment],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.requirement("R19")
@pytest.mark.parametrize("moment", MOMENTS["migrate"])
def test_a_migration_that_was_killed_has_not_happened_and_starts_again(
    moment: str, old: Path
) -> None:
    write_story(old, "dora", turns=200, new=legacy)
    before = rows(old)
    kill("migrate", old, moment)
    assert rows(old) == before
    new = old.with_name("new.db")
    migrate(old, to=new)
    kept = migrate(old, now=NOW).backup
    assert flaws(old) == []
    assert rows(old) == rows(new)
    assert kept
    assert rows(kept) == before
    assert files(old) == {old.name, "new.db", kept.name}


@pytest.mark.parametrize("moment", MOMENTS["migrate"])
def test_a_copy_that_was_killed_is_not_there_and_starts_again(moment: str, old: Path) -> None:
    write_story(old, "dora", turns=200, new=legacy)
    before, new = rows(old), old.with_name("new.db")
    kill("copy", old, moment)
    assert not new.exists()
    assert rows(old) == before
    new.with_name("new.db.part").write_bytes(b"whatever a killed one may leave" * 999)
    migrate(old, to=new)
    assert flaws(new) == []
    assert files(old) == {old.name, "new.db", "new.db.lock"}


@pytest.mark.parametrize("moment", MOMENTS["compact"])
def test_a_compaction_that_was_killed_leaves_a_sound_journal_and_goes_on(
    moment: str, path: Path
) -> None:
    write_story(path, *(f"user-{n}" for n in range(50)), turns=5)
    kill("compact", path, moment)
    assert flaws(path) == []
    compact(path, keep=7)
    assert flaws(path) == []
    assert len(rows(path)["log"]) == 50 * 7


@pytest.mark.parametrize("there", [False, True], ids=["new", "with others"])
@pytest.mark.parametrize("moment", MOMENTS["import"])
def test_an_import_that_was_killed_has_not_happened_and_starts_again(
    moment: str, there: bool, tmp_path: Path
) -> None:
    source, path = tmp_path / "source.db", tmp_path / "journal.db"
    write_story(source, "alice", turns=200)
    path.with_name("lines").write_bytes(exported(source))
    if there:
        write_story(path, "bob")
    before = rows(path)["log"] if there else []
    kill("import", path, moment)
    assert rows(path)["log"] == before
    with path.with_name("lines").open("rb") as lines:
        import_journal(path, lines)
    assert flaws(path) == []
    assert len(rows(path)["log"]) == len(before) + len(rows(source)["log"])


# --- check


def test_a_journal_of_ours_is_sound_also_after_a_trim(story: Path) -> None:
    assert flaws(story) == []
    for through in (4, 21):
        with open_for_upkeep(story) as file:
            SqlStore(file.database).trim(UserId("alice"), through)
        assert flaws(story) == []


FLAWS: dict[str, tuple[str, str]] = {
    "a gap": (
        'DELETE FROM log WHERE user = "alice" AND "offset" = 5',
        "event 6 of 'alice': does not continue the user's log, 5 is missing",
    ),
    "a missing beginning": (
        'DELETE FROM log WHERE user = "bob" AND "offset" = 1',
        "event 2 of 'bob': does not continue the user's log, 1 is missing",
    ),
    "an id of another kind": (
        "UPDATE log SET run = thread WHERE number = 1",
        "event 1 of 'alice': run: expected a run id, got thread",
    ),
    "a legacy id": (
        "UPDATE cursor SET session = 'ws_u_1757371363_0a1b2c3d' WHERE user = 'bob'",
        "cursor of 'bob': session 'ws_u_1757371363_0a1b2c3d' is a legacy id",
    ),
    "no user": ("UPDATE mark SET user = ''", "mark of '': expected a user id, got an empty string"),
    "no such kind": (
        "UPDATE log SET kind = 'agent_thought' WHERE number = 2",
        "event 2 of 'alice': there is no kind of event 'agent_thought'",
    ),
    "another class": (
        "UPDATE log SET class = 'progress' WHERE number = 2",
        "event 2 of 'alice': its class must be 'critical' by its kind, not 'progress'",
    ),
    "a body that is no JSON": (
        "UPDATE log SET body = x'7b' WHERE number = 4",
        "event 4 of 'alice': its body is not JSON",
    ),
    "a body that is no event": (
        "UPDATE log SET body = x'5b5d' WHERE number = 4",
        "event 4 of 'alice': its body must be an event",
    ),
    "a body that says otherwise": (
        "UPDATE log SET at = 7 WHERE number = 4",
        "event 4 of 'alice': its body says at 1757371367000, but its column 7",
    ),
    "a say that says otherwise": (
        "UPDATE log SET say = 'mine' WHERE number = 1",
        "event 1 of 'alice': its body says `say` 'say-1', but its column 'mine'",
    ),
    "a forgotten open run": (
        "DELETE FROM open_run WHERE user = 'bob'",
        "user 'bob': run 'run_",
    ),
    "an open run that has ended": (
        "INSERT INTO open_run (user, run, thread, request)"
        " SELECT user, run, thread, request FROM log WHERE number = 1",
        "is listed as open, but has ended",
    ),
    "a missing span": (
        "DELETE FROM span WHERE user = 'alice' AND first = 13",
        "event 13 of 'alice': begins a stretch in 'thread_",
    ),
    "a wrong span": (
        "UPDATE span SET first = 14 WHERE user = 'alice' AND first = 13",
        "event 14 of 'alice': a span says that 'thread_",
    ),
    "a cursor beyond the end": (
        "UPDATE cursor SET \"offset\" = 99 WHERE user = 'bob'",
        "cursor of 'bob': its offset is 99, but the user's events end at 21",
    ),
    "a mark beyond the end": (
        "UPDATE mark SET \"offset\" = 22 WHERE user = 'bob'",
        "mark of 'bob': its offset is 22, but the user's events end at 21",
    ),
    "a mark on nothing": ('UPDATE mark SET "offset" = 0', "mark of 'alice': its offset is 0"),
    "more sent than there is": (
        "UPDATE cursor SET sent = 22 WHERE user = 'bob'",
        "cursor of 'bob': its sent is 22, but the user's events end at 21",
    ),
    "more settled than there is": (
        "INSERT INTO settled VALUES ('bob', 'critical', 22)",
        "settled of 'bob': its through is 22, but the user's events end at 21",
    ),
    "an event trimmed away and there": (
        "INSERT INTO trimmed VALUES ('alice', 3)",
        "event 1 of 'alice': does not continue the user's log, 4 is missing",
    ),
}


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(("harm", "told"), FLAWS.values(), ids=FLAWS)
def test_a_flaw_is_told_with_its_place(harm: str, told: str, story: Path) -> None:
    execute(story, harm.replace('"alice"', "'alice'").replace('"bob"', "'bob'"))
    assert any(told in flaw for flaw in flaws(story)), flaws(story)


def test_a_damaged_file_is_told_first_and_looked_at_no_further(path: Path) -> None:
    write_story(path, *(f"user-{n}" for n in range(40)))
    damage_an_index(path)
    found = flaws(path)
    assert found
    assert all(flaw.startswith("file: ") for flaw in found)


def test_every_table_is_described(story: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "journal.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| `(\w+)` \|", page.partition("## The file")[2], re.MULTILINE)
    assert set(described) == {*rows(story), *DERIVED} - {"sqlite_sequence"}


def test_every_column_is_known_to_hold_ids_or_none() -> None:
    """A new column is a decision: does it hold ids to check and migrate, or JSON to embed?"""
    without_ids = {
        *("offset", "kind", "class", "at", "say", "first", "through", "stage", "note"),
        *("type", "text", "traceback", "until"),
        *("crash", "process", "began", "line", "report"),
        *("type", "text", "traceback", "done", "expires", "dead_letter", "level", "due"),
        *("start", "sent", "after", "attempt", "outcome", "body", "verdict", "attempts"),
        *("agent", "stopped", "key", "value", "ended"),
        *("title", "archived", "created", "runs", "recent"),
        *("file", "received", "data"),
    }
    with closing(apsw.Connection(":memory:")) as database:
        sqlite_schema.create(database, "epoch")
        for table in tables(database):
            assert set(table.columns) <= without_ids | ID_COLUMNS.keys(), table
            blobs = database.execute(
                "SELECT name FROM pragma_table_info(?) WHERE type = 'BLOB'", (table.name,)
            ).fetchall()
            assert {str(name) for (name,) in blobs} <= JSON_COLUMNS.keys() | BYTES_COLUMNS


# --- compact


RULES: dict[str, tuple[int | None, int | None, int]] = {
    "nothing": (None, None, 0),
    "keep none": (None, 0, 21),
    "keep the last 5": (None, 5, 16),
    "keep more than there is": (None, 100, 0),
    "older than the 8th event": (START_MS + 8000, None, 7),
    "older than any": (START_MS + 10**9, None, 21),
    "younger than all": (0, None, 0),
    "old, but not the last 18": (START_MS + 8000, 18, 3),
    "old, and beyond the last 2": (START_MS + 8000, 2, 7),
}


@pytest.mark.parametrize(("before_ms", "keep", "gone"), RULES.values(), ids=RULES)
def test_what_the_rule_says_is_forgotten_and_nothing_else(
    before_ms: int | None, keep: int | None, gone: int, story: Path
) -> None:
    before = rows(story)
    done = compact(story, before_ms=before_ms, keep=keep, now=NOW)
    assert done.forgotten == 2 * gone
    after = rows(story)
    assert after["log"] == [row for row in before["log"] if int(str(row[2])) > gone]
    for kept in ("open_run", "cursor", "meta"):
        assert after[kept] == before[kept]
    assert flaws(story) == []
    assert rows(story.with_name(BACKUP)) == before


def test_a_clock_that_stepped_back_makes_no_gap(story: Path) -> None:
    execute(story, "UPDATE log SET at = 1 WHERE \"offset\" = 15 AND user = 'alice'")
    assert compact(story, before_ms=START_MS + 8000).forgotten == 14


def test_space_is_given_back_and_sizes_are_told(path: Path) -> None:
    write_story(path, *(f"user-{n}" for n in range(100)), turns=10)
    done = compact(path, keep=1)
    assert done.before > 5 * done.after
    assert done.after == path.stat().st_size


def test_compacting_to_a_new_file_leaves_the_old_one_alone(story: Path) -> None:
    before = rows(story)
    done = compact(story, keep=5, to=story.with_name("new.db"))
    assert isinstance(done, Compacted)
    assert done.backup is None
    assert rows(story) == before
    assert flaws(story.with_name("new.db")) == []
    assert len(rows(story.with_name("new.db"))["log"]) == 10


# --- export and import


def exported(path: Path) -> bytes:
    lines: list[bytes] = []
    export_journal(path, lines.append)
    return b"".join(lines)


def imported(path: Path, text: bytes) -> None:
    import_journal(path, iter(text.splitlines(keepends=True)))


def test_an_export_is_lines_of_json_with_a_header_and_an_end(story: Path) -> None:
    header, *lines, end = map(json.loads, exported(story).splitlines())
    assert header["schema"] == "greenroom.journal/1"
    assert header["epoch"] == EPOCH
    assert end == {"end": len(lines)}
    first = lines[0]["log"]
    assert first["body"]["id"] == first["id"]
    assert first["body"]["data"] == {"body": "what does it cost?", "say": "say-1"}
    mark = next(line["mark"] for line in lines if "mark" in line)
    assert mark["verdict"] == {"good": True}


@pytest.mark.parametrize("trimmed", [0, 4, 21])
def test_what_was_exported_comes_back_as_it_was(trimmed: int, story: Path) -> None:
    with open_for_upkeep(story) as file:
        SqlStore(file.database).trim(UserId("alice"), trimmed)
    new = story.with_name("new.db")
    imported(new, exported(story))
    assert exported(new) == exported(story)
    assert {name: len(each) for name, each in rows(new).items()} == {
        name: len(each) for name, each in rows(story).items()
    }
    assert [row[1:] for row in rows(new)["log"]] == [row[1:] for row in rows(story)["log"]]
    assert flaws(new) == []


def test_forgotten_progress_is_sound_and_is_exported_and_imported(story: Path) -> None:
    alice = UserId("alice")
    with open_for_upkeep(story) as file:
        store = SqlStore(file.database)
        [last] = store.read(alice, 20, 1, 1 << 20)
        piece = draft(
            event=IDS.new(EventId),
            kind=Kind.PARTIAL_RESULT,
            thread=last.thread,
            run=last.run,
            parent=None,
            request=last.request,
            data={"text": "so far", "index": 0},
        )
        store.append([piece.record(alice, 22, last.at)])
        assert store.forget_progress(alice, 22) == 1
    assert flaws(story) == []
    new = story.with_name("new.db")
    imported(new, exported(story))
    assert exported(new) == exported(story)
    assert flaws(new) == []


def test_an_imported_journal_goes_on_where_it_was(story: Path) -> None:
    new = story.with_name("new.db")
    imported(new, exported(story))
    with closing(open_file(new, new_epoch=lambda: "another")) as file:
        assert file.epoch == EPOCH
        assert SqlStore(file.database).bounds(UserId("alice")).last == 21


def test_an_empty_journal_takes_the_epoch_of_what_comes(story: Path) -> None:
    new = story.with_name("new.db")
    open_file(new, new_epoch=lambda: "another").close()
    imported(new, exported(story))
    assert rows(new)["meta"] == [("epoch", EPOCH)]


def test_users_of_two_journals_come_together_if_they_are_others(story: Path) -> None:
    other = story.with_name("other.db")
    write_story(other, "carol", epoch="another")
    done = import_journal(story, iter(exported(other).splitlines()), now=NOW)
    assert done.backup == story.with_name(BACKUP)
    assert {row[1] for row in rows(story)["log"]} == {"alice", "bob", "carol"}
    assert flaws(story) == []
    assert rows(story)["meta"] == [("epoch", EPOCH)]


def test_users_in_common_refuse_the_whole_import(story: Path) -> None:
    other = story.with_name("other.db")
    write_story(other, "carol", "bob")
    before = rows(story)
    with pytest.raises(NotMixed, match="already has entries of user 'bob'"):
        imported(story, exported(other))
    assert rows(story) == before
    assert files(story) == {story.name, "other.db", "other.db.lock"}


@pytest.mark.requirement("R19")
def test_legacy_ids_become_new_on_the_way_in(old: Path) -> None:
    new = old.with_name("new.db")
    imported(new, exported(old))
    migrate(old)
    assert exported(new) == exported(old)


def lines_with(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda text: b"".join(change(text.splitlines(keepends=True)))


def _first_cursor(text: bytes) -> bytes:
    return next(line for line in text.splitlines(keepends=True) if line.startswith(b'{"cursor"'))


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing at all": (lambda _: b"", "line 1: not JSON"),
    "no header": (
        lines_with(lambda lines: lines[1:]),
        "line 1: an export of a journal must begin with",
    ),
    "cut short": (lines_with(lambda lines: lines[:-1]), "the file ends here, without its end line"),
    "a line lost": (
        lines_with(lambda lines: lines[:3] + lines[4:]),
        "line 57: the export had 56 rows, but this file has 55",
    ),
    "more after the end": (
        lambda text: text + b"{}\n",
        "line 59: the file must end with its end line",
    ),
    "half a line": (lines_with(lambda lines: [*lines[:3], lines[3][:9]]), "line 4: not JSON"),
    "no object": (
        lines_with(lambda lines: [*lines[:3], b"[]\n"]),
        "line 4: the line must be a JSON object",
    ),
    "no row": (lines_with(lambda lines: [*lines[:3], b'{"log":1}\n']), "line 4: a row must be"),
    "an unknown table": (
        lines_with(lambda lines: [*lines[:3], b'{"gol":{"user":"x"}}\n']),
        "line 4: a journal has no table 'gol'",
    ),
    "an unknown column": (
        lines_with(lambda lines: [*lines[:3], b'{"log":{"user":"x","x":1}}\n']),
        "line 4: log has no column 'x'",
    ),
    "a number given": (
        lines_with(lambda lines: [*lines[:3], b'{"log":{"user":"x","number":1}}\n']),
        "line 4: log has no column 'number'",
    ),
    "a column missing": (
        lines_with(lambda lines: [*lines[:3], b'{"log":{"user":"x"}}\n']),
        "line 4: a row of log must have `offset`",
    ),
    "no user": (
        lines_with(lambda lines: [*lines[:3], b'{"log":{}}\n']),
        "line 4: the row must have a `user`",
    ),
    "the same twice": (
        lines_with(lambda lines: [*lines[:3], lines[2]]),
        "line 4: log has user 'alice', offset 2 on an earlier line already",
    ),
    "a cursor twice": (
        lambda text: text.replace(b'{"end":56}', _first_cursor(text) + b'{"end":57}'),
        "line 58: cursor has user 'alice', session 'sess_.*' on an earlier line already",
    ),
    "a number as text": (
        lambda text: text.replace(b'"start":0', b'"start":"no"', 1),
        "`start` must be INTEGER, not TEXT",
    ),
    "a number where text stands": (
        lambda text: text.replace(b'"say":"say-1",', b'"say":[],', 1),
        "line 2: `say` must be text or a number",
    ),
    "an offset too big": (
        lambda text: text.replace(b'"offset":1,', b'"offset":18446744073709551615,', 1),
        "line 2: ",
    ),
    "an unknown id": (
        lambda text: text.replace(b'"run":"run_', b'"run":"nur_', 1),
        "line 2: expected a run id",
    ),
    "a body that says otherwise": (
        lambda text: text.replace(b'"at":1757371365000,"say"', b'"at":7,"say"', 1),
        "line 3: event 2 of 'alice': its body says at 1757371365000, but its column 7",
    ),
    "an offset of another line": (
        lambda text: text.replace(b'"offset":3,', b'"offset":9,', 1),
        "line 4: event 9 of 'alice': its body says offset 3, but its column 9",
    ),
    "a gap": (
        lambda text: text.replace(b'"offset":21', b'"offset":22'),
        "event 22 of 'alice': does not continue the user's log, 21 is missing",
    ),
}


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("there", [False, True], ids=["new", "with others"])
@pytest.mark.parametrize(("spoil", "told"), BAD.values(), ids=BAD)
def test_a_bad_export_is_refused_whole_naming_the_line(
    spoil: Callable[[bytes], bytes], told: str, there: bool, story: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.db"
    if there:
        write_story(new, "carol")
    before = rows(new) if there else None
    good = exported(story)
    spoilt = spoil(good)
    assert spoilt != good
    with pytest.raises(BadExport, match=told) as refused:
        imported(new, spoilt)
    assert "constraint" not in refused.value.message
    assert (rows(new) if new.exists() else None) == before
    assert new.with_name("new.db.lock").exists() == there
    assert not [name for name in files(story) if "backup" in name]


def test_an_export_of_a_newer_greenroom_is_refused(story: Path) -> None:
    header, rest = exported(story).split(b"\n", 1)
    newer = orjson.dumps({**orjson.loads(header), "version": 99})
    with pytest.raises(JournalTooNew, match="schema version 99"):
        imported(story.with_name("new.db"), newer + b"\n" + rest)


def test_an_event_that_is_no_json_stops_an_export_naming_it(story: Path) -> None:
    execute(story, "UPDATE log SET body = x'7b' WHERE number = 4")
    with pytest.raises(JournalCorrupt, match="log of 'alice', offset 4") as refused:
        exported(story)
    assert "journal check" in refused.value.advice


# --- all of them


@pytest.mark.parametrize(
    "work",
    [flaws, migrate, compact, exported, lambda path: imported(path, EMPTY)],
    ids=["check", "migrate", "compact", "export", "import"],
)
def test_a_journal_that_is_open_elsewhere_is_refused(
    work: Callable[[Path], object], story: Path
) -> None:
    with closing(open_file(story, new_epoch=lambda: "")), pytest.raises(JournalBusy):
        work(story)


EMPTY = b'{"schema":"greenroom.journal/1","epoch":"e","version":1}\n{"end":0}\n'


@pytest.mark.parametrize("work", [flaws, migrate, compact, exported])
def test_a_journal_that_is_not_there_is_not_made(
    work: Callable[[Path], object], path: Path
) -> None:
    with pytest.raises(JournalFailed, match="there is no journal at"):
        work(path)
    assert files(path) == set()


def test_packed_lines_are_lines(story: Path) -> None:
    packed = story.with_name("lines.gz")
    packed.write_bytes(gzip.compress(exported(story)))
    with gzip.open(packed) as lines:
        import_journal(story.with_name("new.db"), lines)
    assert flaws(story.with_name("new.db")) == []


# --- what is no journal


UPKEEP: dict[str, Callable[[Path], object]] = {
    "check": flaws,
    "migrate": migrate,
    "compact": compact,
    "export": lambda path: export_journal(path, bytes),
}


@pytest.mark.fault("W18")
@pytest.mark.parametrize("work", UPKEEP.values(), ids=UPKEEP.keys())
def test_an_empty_file_is_no_journal_and_does_not_become_one(
    work: Callable[[Path], object], path: Path
) -> None:
    path.touch()
    with pytest.raises(JournalCorrupt, match="is empty, not a journal"):
        work(path)
    assert [(each.name, each.stat().st_size) for each in path.parent.iterdir()] == [(path.name, 0)]


@pytest.mark.fault("W18")
@pytest.mark.parametrize("work", UPKEEP.values(), ids=UPKEEP.keys())
def test_a_database_without_a_table_is_no_journal_either(
    work: Callable[[Path], object], path: Path
) -> None:
    with closing(apsw.Connection(str(path))) as database:
        database.pragma("journal_mode", "wal")
    before = path.read_bytes()
    with pytest.raises(JournalCorrupt, match="is empty, not a journal"):
        work(path)
    assert path.read_bytes() == before
