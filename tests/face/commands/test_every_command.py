"""What is true of every command: of those that come, too."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path

import pytest

import greenroom
from greenroom.command_line import run
from greenroom.commands.output.streams import PLAIN
from greenroom.commands.table import COMMANDS
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.history.times import clock_time
from greenroom.delivery.journal.sqlite.file import open_file
from greenroom.parsing import load
from greenroom.settings.database_url import DATABASES
from tests.delivery.history.run_story import Author, write
from tests.face import cli
from tests.face.cli import PATIENCE, Result, command, environment, on_a_terminal
from tests.face.commands.every_command import (
    BRIEF,
    CASES,
    LONG,
    VARIANTS,
    Needs,
    World,
    calm_server,
    crashed_server,
    json_lines,
    make_settings,
    make_world,
    names,
)
from tests.protocol.server import Server

Here = Callable[..., Result]
NOBODY = 65534
ESCAPES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
BOXES = re.compile(r"[\u2500-\u259f]")
TIMES = re.compile(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d(?P<zone>(Z|\.\d+ UTC)?)")
ASCII = {
    "LANG": "C",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
    "TERM": "dumb",
}
ONE_AFTER_ANOTHER = """
import sys
from greenroom.command_line import run
for line in sys.argv[1:]:
    print("$", ascii(line), run(line.split()), flush=True)
"""
READING = [name for name in BRIEF if CASES[name].needs is Needs.JOURNAL]
NARROWED = [name for name in CASES if CASES[name].unknown or CASES[name].other]


@pytest.fixture(scope="module")
def calm() -> Iterator[Server]:
    with calm_server() as server:
        yield server


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with crashed_server() as (server, crash):
        yield make_world(tmp_path_factory.mktemp("world") / "kept", server, crash)


@pytest.fixture
def world(kept: World, tmp_path: Path) -> World:
    """A copy: commands change it."""
    shutil.copytree(kept.directory, tmp_path / "world")
    return World(tmp_path / "world", kept.ids)


@pytest.fixture
def call(world: World) -> Here:
    return partial(cli.greenroom, cwd=world.directory)


def told(result: Result) -> str:
    assert "Traceback" not in result.err
    return result.out + result.err


@pytest.mark.fault("W13", "W14", "W17")
def test_every_command_is_in_the_table() -> None:
    assert names() == CASES.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_summarises_a_command_in_its_own_words(name: str) -> None:
    loaded = load(COMMANDS[name])
    text = loaded.help if hasattr(loaded, "help") else loaded.__doc__
    assert text is not None
    assert text.partition("\n")[0] == COMMANDS[name].summary


# W13: nothing is said to be nothing


@pytest.mark.fault("W13")
@pytest.mark.parametrize("name", [name for name in BRIEF if CASES[name].nothing])
def test_where_there_is_nothing_a_command_says_so_and_its_json_is_json(
    name: str, call: Here, world: World, calm: Server
) -> None:
    empty(world.directory / "greenroom.db")
    make_settings(world.directory, calm)
    words = world.words(CASES[name].words)
    assert CASES[name].nothing in told(call(*words))
    if CASES[name].json:
        json_lines(call(*words, "--json").out)


def empty(journal: Path) -> None:
    for path in journal.parent.glob(f"{journal.name}*"):
        path.unlink()
    open_file(journal, new_epoch=lambda: "the-epoch").close()


@pytest.mark.fault("W13")
@pytest.mark.parametrize(
    ("by", "said"), [("agent", "no agent did anything"), ("tool", "no tool was called")]
)
def test_usage_by_what_there_is_none_of_says_so(
    by: str, said: str, call: Here, world: World
) -> None:
    empty(world.directory / "greenroom.db")
    author = Author()
    author.tell(0, author.run(), Kind.USER_SAID, body="is anybody there?", say="1")
    write(world.directory / "greenroom.db", *author.records)
    assert said in call("usage", "--by", by).out


# W17: ids


@pytest.mark.fault("W17")
@pytest.mark.parametrize("name", NARROWED)
def test_an_id_that_nothing_has_or_of_another_kind_is_told_as_such(
    name: str, call: Here, world: World
) -> None:
    case = CASES[name]
    words = world.words(case.words)
    for given, said in filter(None, (case.unknown, case.other)):
        result = call(*words_with(words, given))
        assert said in told(result)
        assert ("expected" in said) <= (result.code == 2)


def words_with(words: list[str], given: str) -> list[str]:
    """Options are added; an id takes the place of the one that is there."""
    return [*words, *given.split()] if given.startswith("--") else [*words[:-1], given]


# W14: pipes and terminals of all sorts


@pytest.mark.fault("W14")
@pytest.mark.parametrize("words", [*(CASES[name].words for name in BRIEF), *VARIANTS.values()])
def test_in_a_pipe_output_is_plain(words: str, call: Here, world: World) -> None:
    result = call(*world.words(words))
    assert result.code == 0 or "ids" in words, result.err
    assert not ESCAPES.search(told(result))
    assert not BOXES.search(result.out)
    assert "…" not in result.out or "…" in words


@pytest.mark.fault("W14")
@pytest.mark.parametrize("words", ["events", "timeline {run}"])
def test_in_a_pipe_a_row_is_a_line_and_nothing_is_cut(
    words: str, call: Here, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    lines = call(*world.words(words)).out.splitlines()
    assert any("heißt" in line and LONG.strip() in line for line in lines)


@pytest.mark.fault("W14")
@pytest.mark.parametrize("words", [*(CASES[name].words for name in BRIEF), *VARIANTS.values()])
def test_what_an_encoding_lacks_is_escaped(
    words: str, world: World, call: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under PYTHONIOENCODING=ascii: the streams are strict until a command makes them not."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.chdir(world.directory)
    code = run(world.words(words))
    assert b"Unicode" not in err.buffer.getvalue()  # type: ignore[attr-defined]
    assert code == 0 or "ids" in words
    if "export" not in words:  # JSON, which is UTF-8 wherever it goes
        assert out.buffer.getvalue().isascii()  # type: ignore[attr-defined]


@pytest.mark.fault("W14")
@pytest.mark.parametrize("name", [name for name in BRIEF if CASES[name].json])
def test_json_is_the_same_whatever_the_encoding(
    name: str, world: World, call: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*world.words(CASES[name].words), "--json"]
    expected = json_lines(call(*words).out)
    out = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.chdir(world.directory)
    assert run(words) == 0
    said = json_lines(out.buffer.getvalue().decode())  # type: ignore[attr-defined]
    assert said == expected or name in ("tree", "usage")  # which tell how late it is


@pytest.mark.fault("W14")
def test_an_ascii_terminal_that_is_dumb_and_narrow_gets_every_command(world: World) -> None:
    shown = on_a_terminal(
        [sys.executable, "-c", ONE_AFTER_ANOTHER, *lines_of(world)],
        cwd=world.directory,
        COLUMNS="40",
        **ASCII,
    )
    check_each(shown.decode("ascii"), world)
    assert b"\x1b" not in shown


@pytest.mark.fault("W14")
def test_a_narrow_terminal_gets_every_command(world: World) -> None:
    shown = on_a_terminal(
        [sys.executable, "-c", ONE_AFTER_ANOTHER, *lines_of(world)],
        cwd=world.directory,
        COLUMNS="40",
        LANG="C.UTF-8",
        PYTHONUTF8="1",
    )
    check_each(shown.decode(), world)


def lines_of(world: World) -> list[str]:
    lines = [CASES[name].words for name in BRIEF if "export" not in name]
    return [line.format(**world.ids) for line in [*lines, *VARIANTS.values()]]


def check_each(shown: str, world: World) -> None:
    assert "Traceback" not in shown
    assert "Unicode" not in shown
    codes = dict(re.findall(r"\$ '(.*)' (\d+)\r?\n", shown))
    failed = [line for line, code in codes.items() if code != "0"]
    # what was requeued is no letter any more, and what stands for no id fails in words
    assert [line for line in failed if not line.startswith(("dead-letters drop", "ids"))] == []
    assert len(codes) == len(lines_of(world))


@pytest.mark.fault("W14")
def test_every_glyph_of_ours_has_an_ascii_form() -> None:
    assert all(plain.isascii() and plain for plain in PLAIN.values())


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "ids explain {run}",
        "ids explain {run} --json",
        "machine world.py:gate",
        "timeline {run}",
        "timeline {run} --json",
        "dead-letters list",
        "dead-letters show {event}",
        "crashes",
        "tree --json",
        "journal check",
        "replay --trust till.json",
    ],
)
def test_a_pipe_that_nobody_reads_is_quiet(words: str, kept: World) -> None:
    unread, pipe = os.pipe()
    os.close(unread)
    done = subprocess.run(
        command(kept.words(words)),
        cwd=kept.directory,
        env=environment(None),
        stdout=pipe,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    os.close(pipe)
    assert (done.returncode, done.stderr) == (141, b"")


# W12: times


@pytest.mark.fault("W12")
@pytest.mark.parametrize("words", [*(CASES[name].words for name in BRIEF), *VARIANTS.values()])
def test_times_are_in_utc_and_say_so(words: str, call: Here, world: World) -> None:
    with zone("Asia/Kathmandu"):
        out = call(*world.words(words)).out
    if "export" not in words:
        assert all(found["zone"] for found in TIMES.finditer(out))
    if words in ("events", "timeline {run}"):
        assert "2026-09-23T12:00:00Z" in out


@contextmanager
def zone(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.fault("W12", "W14")
def test_one_place_formats_times_and_few_make_consoles() -> None:
    """Any other place would have to handle zones, pipes and encodings again."""
    package = Path(greenroom.__file__).parent
    paths = [*package.glob("*.py"), *(package / "commands").rglob("*.py")]
    used = {(path.stem, name) for path in paths for name in calls(path)}
    assert {module for module, name in used if name in ("fromtimestamp", "strftime")} <= {
        "times",
        "ids",
    }
    assert {module for module, name in used if name == "Console"} == {
        *("parsing", "printing", "progress", "timeline", "screen")
    }


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func
            yield called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


# Files that are not what they should be


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize(
    ("journal", "code", "said"),
    [
        ("no.db", 2, "there is no journal at no.db"),
        (".", 2, "there is no journal at ."),
        ("world.py", 1, "world.py is not a journal"),
        ("locked.db", 1, "locked.db"),
        ("closed/greenroom.db", 1, "closed/greenroom.db"),
    ],
)
def test_a_journal_that_is_none_or_not_to_be_read_is_named_in_a_line(
    journal: str, code: int, said: str, name: str, call: Here, world: World
) -> None:
    words = [*world.words(CASES[name].words), "--journal", journal]
    call(*words)  # whatever is imported must be readable
    with tempfile.TemporaryDirectory() as place:  # pytest closes its own directories to others
        spoil(world.directory, Path(place))
        with chdir(place), as_nobody():  # nobody may not go back to where the tests run
            result = call(*words, cwd=place)
    first, *_ = result.err.splitlines()
    assert said in first
    assert "Traceback" not in result.err
    assert (result.code, result.out) == (code, "")


@pytest.mark.parametrize("name", READING)
def test_a_journal_whose_name_is_not_utf_8_is_refused_as_sqlite_cannot_open_it(
    name: str, call: Here, world: World
) -> None:
    name_of_bytes = os.fsdecode(b"\xff.db")
    shutil.copy(world.directory / "greenroom.db", world.directory / name_of_bytes)
    result = call(*world.words(CASES[name].words), "--journal", name_of_bytes)
    assert f"--journal: expected a file path in UTF-8, or {DATABASES}, got '\\udcff.db'" in told(
        result
    )
    assert result.code == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("replay .", 1, ".: Is a directory"),
        ("journal import .", 1, ".: Is a directory"),
        ("journal export .", 2, ". exists already"),
        ("events --config .", 2, ".: cannot be read: Is a directory"),
        ("machine .:gate", 2, "there is no file ."),
        ("machine ..x:gate", 2, "there is no file ..x"),
        ("events --limit 99999999999999999999", 2, "--limit"),
        ("usage --limit 99999999999999999999", 2, "--limit"),
        ("dead-letters list --limit 99999999999999999999", 2, "--limit"),
        ("journal check --limit 99999999999999999999", 2, "--limit"),
        ("journal compact --keep 99999999999999999999", 2, "--keep"),
        ("tree --watch --every 1e300", 2, "--every"),
    ],
)
def test_what_cannot_be_is_a_line(words: str, code: int, said: str, call: Here) -> None:
    result = call(*words.split())
    first, *_ = result.err.splitlines()
    assert said in first
    assert "Traceback" not in result.err
    assert (result.code, result.out) == (code, "")


def spoil(directory: Path, place: Path) -> None:
    """A directory that everybody may look into, with things that nobody may read."""
    shutil.copy(directory / "world.py", place)
    shutil.copy(directory / "greenroom.db", place / "locked.db")
    (place / "locked.db").chmod(0)
    (place / "closed").mkdir(mode=0)
    place.chmod(0o755)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: be somebody else meanwhile."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)


@pytest.mark.fault("W12")
def test_the_time_of_day_alone_says_its_zone_too() -> None:
    assert clock_time(12 * 3600 + 1) == "12:00:01Z"
