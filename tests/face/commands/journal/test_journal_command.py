"""`greenroom journal` as its users run it: files, streams, a terminal, a server in the way."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import signal
import stat
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from greenroom.delivery.upkeep.journal_upkeep import TellProgress
from tests.delivery.journal.journal_story import execute, legacy, rows, write_story
from tests.face.cli import (
    PATIENCE,
    SECRET,
    Result,
    command,
    environment,
    greenroom,
    running,
)

ROWS = 56
"""Of the story of two users: 42 events, 4 threads with their titles, and the other tables' rows."""

COMMANDS = {
    "check": ["check"],
    "migrate": ["migrate"],
    "compact": ["compact"],
    "export": ["export", "lines.jsonl"],
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("async def agent(run, said): ...\n")
    return tmp_path


@pytest.fixture
def journal(here: Path) -> Path:
    write_story(here / "greenroom.db", "alice", "bob")
    return here / "greenroom.db"


@pytest.fixture
def old(here: Path) -> Path:
    write_story(here / "greenroom.db", "alice", "bob", new=legacy)
    return here / "greenroom.db"


@pytest.fixture
def called_here(here: Path) -> Callable[..., Result]:
    return partial(greenroom, cwd=here)


def test_a_sound_journal_is_said_to_be_and_exits_0(journal: Path) -> None:
    result = greenroom("journal", "check", cwd=journal.parent)
    assert (result.code, result.out, result.err) == (0, "greenroom.db is sound\n", "")


def test_flaws_are_listed_counted_and_exit_1(journal: Path) -> None:
    execute(journal, "UPDATE log SET say = char(27) || '[2J' WHERE number < 5")
    result = greenroom("journal", "check", "--limit", "2", cwd=journal.parent)
    assert result.code == 1
    assert len(result.out.splitlines()) == 2
    assert "\x1b" not in result.out
    assert result.err == "greenroom: error: greenroom.db has 4 flaws\n"


@pytest.mark.requirement("R19")
def test_a_journal_of_legacy_ids_is_migrated_backed_up_and_then_sound(old: Path) -> None:
    before = rows(old)
    result = greenroom("journal", "migrate", cwd=old.parent)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("log: 42 rows with new ids\n")
    backup = re.search(r"unchanged copy: (.*)\n", result.out)
    assert backup
    assert re.fullmatch(r"greenroom\.db\.backup-\d{8}T\d{6}Z", Path(backup[1]).name)
    assert rows(Path(backup[1])) == before
    assert greenroom("journal", "check", cwd=old.parent).code == 0
    again = greenroom("journal", "migrate", cwd=old.parent)
    assert again.out == "greenroom.db has no legacy ids: nothing to do\n"


@pytest.mark.requirement("R19")
def test_a_threads_old_id_finds_it_before_a_migration_and_after(
    old: Path, called_here: Callable[..., Result]
) -> None:
    threads = Counter(str(row[6]) for row in rows(old)["log"])
    ((thread, count),) = threads.most_common(1)
    asked = ("events", "--json", "--thread", thread)
    assert len(called_here(*asked).out.splitlines()) == count > 1
    called_here("journal", "migrate")
    assert len(called_here(*asked).out.splitlines()) == count


@pytest.mark.requirement("R19", "R20")
def test_a_server_serves_a_migrated_journal(old: Path) -> None:
    greenroom("journal", "migrate", cwd=old.parent)
    with running("serve", "app:agent", "--port", "0", cwd=old.parent, secret=SECRET) as server:
        server.line()
        assert server.interrupt(signal.SIGTERM).code == 0
    assert greenroom("journal", "check", cwd=old.parent).code == 0


def test_compact_tells_what_it_forgot_and_the_sizes(journal: Path) -> None:
    options = ["--older-than", "90d", "--keep", "5"]
    result = greenroom("journal", "compact", *options, cwd=journal.parent)
    assert result.code == 0
    forgotten, sizes, _ = result.out.splitlines()
    assert forgotten == "32 events forgotten"
    assert re.fullmatch(r"[\d.]+ kB before, [\d.]+ kB after", sizes)


def test_older_backups_are_listed(journal: Path, called_here: Callable[..., Result]) -> None:
    compact = ("journal", "compact", "--keep")
    first = called_here(*compact, "5").out.splitlines()
    second = called_here(*compact, "4").out.splitlines()
    assert len(first) == 3
    _, _, new, older = second
    assert new != first[2]
    name = first[2].removeprefix("unchanged copy: ")
    assert re.fullmatch(rf"an older backup: {re.escape(name)} \([\d.]+ kB\)", older)


def test_to_leaves_the_journal_alone(old: Path) -> None:
    before = rows(old)
    for name in ("migrate", "compact"):
        result = greenroom("journal", name, "--to", f"{name}.db", cwd=old.parent)
        assert result.out.endswith("unchanged copy: greenroom.db\n")
    assert rows(old) == before


@pytest.mark.parametrize("name", ["lines.jsonl", "lines.jsonl.gz"])
def test_an_export_comes_back_through_a_file(name: str, journal: Path) -> None:
    out = greenroom("journal", "export", name, cwd=journal.parent)
    assert (out.code, out.out, out.err) == (0, "", f"{ROWS} rows exported\n")
    file = journal.with_name(name)
    text = gzip.decompress(file.read_bytes()) if name.endswith("gz") else file.read_bytes()
    assert json.loads(text.splitlines()[0])["schema"] == "greenroom.journal/1"
    back = greenroom("journal", "import", name, "--journal", "new.db", cwd=journal.parent)
    assert back.out == f"{ROWS} rows imported\n"
    assert rows(journal.with_name("new.db"))["log"] == rows(journal)["log"]


def test_an_export_comes_back_through_a_pipe(journal: Path) -> None:
    out = command(["journal", "export", "-"])
    back = command(["journal", "import", "-", "--journal", "new.db"])
    with subprocess.Popen(
        out,
        cwd=journal.parent,
        env=environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as exporting:
        done = subprocess.run(
            back,
            cwd=journal.parent,
            env=environment(None),
            stdin=exporting.stdout,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0
    assert rows(journal.with_name("new.db"))["log"] == rows(journal)["log"]


def test_a_backup_beside_a_running_server_is_whole_sound_and_its_owners_alone(
    journal: Path, called_here: Callable[..., Result]
) -> None:
    with running("serve", "app:agent", "--port", "0", cwd=journal.parent, secret=SECRET) as server:
        server.line()
        done = called_here("journal", "backup", "copy.db")
        copy = journal.with_name("copy.db")
        assert (done.code, done.err) == (0, "")
        assert re.fullmatch(rf"{ROWS} rows backed up to copy\.db, [\d.]+ kB\n", done.out)
        assert rows(copy)["log"] == rows(journal)["log"]
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert server.interrupt(signal.SIGTERM).code == 0
    sound = called_here("journal", "check", "--journal", "copy.db")
    assert (sound.code, sound.out) == (0, "copy.db is sound\n")


def test_a_backup_takes_no_place_of_another_file(
    journal: Path, called_here: Callable[..., Result]
) -> None:
    before = names(journal.parent)
    for target, said in (("greenroom.db", "exists already"), ("typo/copy.db", "is no directory")):
        result = called_here("journal", "backup", target)
        assert result.code == 1
        assert said in result.err
    assert names(journal.parent) == before


def names(folder: Path) -> set[str]:
    """The files in it, but for those that SQLite keeps beside a journal that is read."""
    found = {each.name for each in folder.iterdir()}
    return {name for name in found if not name.endswith((".lock", "-wal", "-shm"))}


def test_a_file_that_is_there_is_not_exported_over(journal: Path) -> None:
    journal.with_name("precious").write_text("precious")
    result = greenroom("journal", "export", "precious", cwd=journal.parent)
    assert result.code == 2
    assert "precious exists already" in result.err
    assert journal.with_name("precious").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["export", "{}/lines.jsonl"], "there is no directory {}"),
        (["migrate", "--to", "{}/new.db"], "there is no directory {}"),
    ],
    ids=["export", "migrate"],
)
def test_a_directory_that_is_not_there_is_named(
    arguments: list[str], told: str, old: Path, called_here: Callable[..., Result]
) -> None:
    typo = str(old.parent / "typo")
    result = called_here("journal", *(each.format(typo) for each in arguments))
    assert result.code != 0
    assert result.err.splitlines() == [
        f"greenroom: error: {told.format(typo)}",
        "greenroom: make it first: it may be a typo",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["migrate"], "as a whole"),
        (["migrate", "--to", "new.db"], "as a whole"),
        (["compact", "--keep", "1"], "of others not yet"),
        (["compact", "--keep", "1", "--to", "new.db"], "as a whole"),
        (["export", "new.jsonl"], "no file was written"),
        (["backup", "new.db"], "no file was written"),
        (["import", "lines.jsonl", "--journal", "new.db"], "as a whole"),
    ],
    ids=lambda each: "-".join(each[:2]) if isinstance(each, list) else "",
)
def test_ctrl_c_says_what_has_become_of_the_journal_and_leaves_no_half_files(
    arguments: list[str],
    told: str,
    old: Path,
    called_here: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_story(old, "dora", turns=200, new=legacy)
    called_here("journal", "export", "lines.jsonl")
    before, journal = names(old.parent), rows(old)
    monkeypatch.setattr("greenroom.commands.journal.progress_bar", interrupted)
    result = called_here("journal", *arguments)
    assert result.code == 130
    assert result.err.startswith("greenroom: interrupted: ")
    assert told in result.err
    assert names(old.parent) == before
    assert rows(old) == journal


@contextmanager
def interrupted() -> Iterator[TellProgress]:
    """Somebody presses Ctrl-C in the midst of the first work that takes long."""

    def interrupt(what: str, done: int, total: int) -> None:
        if what in ("copying", "exporting", "importing"):
            raise KeyboardInterrupt  # a signal would be ignored in a shell's background job

    yield interrupt


def test_a_torn_archive_is_one_line_and_imports_nothing(journal: Path) -> None:
    greenroom("journal", "export", "lines.gz", cwd=journal.parent)
    file = journal.with_name("lines.gz")
    file.write_bytes(file.read_bytes()[:-100])
    result = greenroom("journal", "import", "lines.gz", "--journal", "new.db", cwd=journal.parent)
    assert result.code == 1
    assert result.err.startswith("greenroom: error: it cannot be unpacked: ")
    assert not journal.with_name("new.db").exists()


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_journal_that_a_server_has_open_is_refused_naming_it(
    arguments: list[str], journal: Path
) -> None:
    here = journal.parent
    with running("serve", "app:agent", "--port", "0", cwd=here, secret=SECRET) as server:
        server.line()
        result = greenroom("journal", *arguments, cwd=here)
        assert f"process {server.process.pid} has" in result.err
        assert "only one process may write a journal" in result.err
        assert result.code == 1
    assert not (here / "lines.jsonl").exists()


MISUSES = {
    "no journal": (["check"], "there is no journal at greenroom.db"),
    "in memory": (["import", "-", "--journal", ":memory:"], "must be a file, not :memory:"),
    "no age": (["compact", "--older-than", "soon"], "--older-than must be an age such as 90d"),
    "keep less than none": (["compact", "--keep", "-1"], "--keep"),
    "no file": (["export"], "FILE"),
}


@pytest.mark.parametrize(("arguments", "said"), MISUSES.values(), ids=MISUSES)
def test_a_misuse_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, here: Path, request: pytest.FixtureRequest
) -> None:
    if "no journal" not in request.node.name:
        write_story(here / "greenroom.db", "alice")
    result = greenroom("journal", *arguments, cwd=here)
    assert said in result.err
    assert result.code == 2


def test_a_terminal_gets_a_bar_on_standard_error_alone(journal: Path) -> None:
    master, slave = pty.openpty()
    seen: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(master, seen))
    reader.start()
    done = subprocess.run(
        command(["journal", "check"]),
        cwd=journal.parent,
        env=environment(None) | {"TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    os.close(slave)
    reader.join(PATIENCE)
    os.close(master)
    assert done.stdout == "greenroom.db is sound\n"
    assert b"checking ids and events" in b"".join(seen)


def read_all(descriptor: int, into: list[bytes]) -> None:
    try:
        while chunk := os.read(descriptor, 4096):
            into.append(chunk)
    except OSError:  # EIO: the other end is closed (pty(7))
        return
