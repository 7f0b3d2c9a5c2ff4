"""The command line says in a line what is wrong, and does what it says."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import urllib.request
from importlib.metadata import version
from pathlib import Path

import orjson
import pytest
import trio

from greenroom.command_line import cause_of
from greenroom.delivery.events.ids import EventId, IdSource, RequestId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import Kind, class_of
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.settings import BadSettings
from greenroom.transport.auth.tokens import JwtAuthenticator
from tests.face.cli import (
    PATIENCE,
    SECRET,
    Result,
    command,
    environment,
    greenroom,
    greenroom_process,
    running,
)

IDS = IdSource()
THREADS = [IDS.new(ThreadId), IDS.new(ThreadId)]
RUN, REQUEST = IDS.new(RunId), IDS.new(RequestId)
NASTY = "\x1b[2J\x9b2J\N{RIGHT-TO-LEFT OVERRIDE}fine"

APP = """
async def agent(run, said): ...
def plain(run, said): ...
async def one(run): ...
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "broken.py").write_text("x = 1\ny = x / 0\n")
    return tmp_path


def record(user: str, offset: int, kind: Kind, thread: int = 0) -> Record:
    event = IDS.new(EventId)
    body = {
        "offset": offset,
        "id": event,
        "kind": kind,
        "class": class_of(kind),
        "thread": THREADS[thread],
        "run": RUN,
        "request": REQUEST,
        "at": 1_000,
        "data": {"text": NASTY},
    }
    return Record(
        user=UserId(user),
        offset=offset,
        id=event,
        kind=kind,
        event_class=class_of(kind),
        thread=THREADS[thread],
        run=RUN,
        parent=None,
        request=REQUEST,
        at=1_000,
        say=None,
        body=orjson.dumps(body, option=orjson.OPT_PASSTHROUGH_SUBCLASS, default=str),
    )


def write(path: Path, *records: Record) -> None:
    async def main() -> None:
        async with open_sqlite_journal(path) as journal:
            await journal.append(records)

    trio.run(main)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "greenroom.db"
    write(
        path,
        record("alice", 1, Kind.USER_SAID),
        record("alice", 2, Kind.AGENT_THINKING),
        record("bob", 1, Kind.AGENT_THINKING, thread=1),
        record("alice", 3, Kind.FINAL_REPORT, thread=1),
    )
    return path


def complaint(result: Result) -> str:
    """The error's line; that there is one, and no traceback, is checked on the way."""
    first, *_ = result.err.splitlines()
    assert "Traceback" not in result.err
    assert result.out == ""
    assert first.startswith("greenroom: error: ")
    return first.removeprefix("greenroom: error: ")


def test_help_names_every_command(here: Path) -> None:
    result = greenroom("--help", cwd=here)
    assert result.code == 0
    commands = ("demo", "serve", "token", "events", "timeline", "usage", "tree", "replay")
    for name in (*commands, "--version", "--debug"):
        assert name in result.out
    assert greenroom(cwd=here).out == result.out


def test_help_shows_commands_by_what_they_are_for_and_no_default_of_nothing(here: Path) -> None:
    out = greenroom("--help", cwd=here).out
    titles = (
        "\nServe:\n",
        "\nAsk a journal:\n",
        "\nLook into a running server:\n",
        "\nMaintain and develop:\n",
        "\nOptions:\n",
    )
    assert [out.index(title) for title in titles] == sorted(out.index(title) for title in titles)
    assert re.findall(r"default: [^\]]*", greenroom("events", "--help", cwd=here).out) == []
    assert "[default: 50]" in " ".join(greenroom("usage", "--help", cwd=here).out.split())
    assert "--empty" not in greenroom("token", "--help", cwd=here).out


def test_options_that_do_not_fit_together_are_a_misuse(here: Path) -> None:
    result = greenroom("token", "--user", "ann", "--user", "ben", "--secret", "s" * 32, cwd=here)
    assert (result.code, complaint(result)) == (2, "a user's token takes one --user and no --agent")


@pytest.mark.parametrize(
    "arguments", [["replay", "nowhere.json"], ["journal", "import", "nowhere.jsonl"]]
)
def test_a_file_that_is_not_there_is_one_line_and_no_more(arguments: list[str], here: Path) -> None:
    result = greenroom(*arguments, cwd=here)
    assert complaint(result) == f"{arguments[-1]}: No such file or directory"
    assert (len(result.err.splitlines()), result.code) == (1, 1)


def test_what_is_no_crash_report_is_named(here: Path) -> None:
    result = greenroom("replay", "app.py", cwd=here)
    assert complaint(result).startswith("app.py must be a crash report: not JSON")


def test_a_process_answers_and_exits_as_the_command_does(here: Path) -> None:
    for words in (["--help"], ["--version"], ["sreve"], ["serve", "broken:agent"]):
        here_and_now = greenroom(*words, cwd=here, secret=SECRET)
        assert greenroom_process(*words, cwd=here, secret=SECRET) == here_and_now


def test_version_is_the_packages(here: Path) -> None:
    assert greenroom("--version", cwd=here).out == f"{version('greenroom')}\n"


MISUSES = {
    "no such command": (["sreve"], 'Unknown command "sreve"'),
    "no target": (["serve"], "TARGET"),
    "no colon": (["serve", "app"], "'app' does not name an agent"),
    "no module": (["serve", "nowhere_at_all:agent"], "there is no module 'nowhere_at_all'"),
    "no file": (["serve", "nowhere.py:agent"], "there is no file nowhere.py"),
    "no agent": (["serve", "app:agnet"], "app:agnet has no 'agnet'"),
    "plain function": (["serve", "app:plain"], "app:plain must be an async function, not a plain"),
    "wrong parameters": (["serve", "app.py:one"], "app.py:one must take a run and"),
    "port is no number": (["serve", "app:agent", "--port", "x"], "--port"),
    "port too high": (["serve", "app:agent", "--port", "65536"], "--port: expected a whole"),
    "bad origin": (["serve", "app:agent", "--allow-origin", "a.b"], "--allow-origins: expected"),
    "no config": (["serve", "app:agent", "--config", "x.toml"], "x.toml: cannot be read: No such"),
    "key file and secret": (["serve", "app:agent", "--key-file", "k"], "secret and key_file are"),
    "short secret": (["token", "--user", "a", "--secret", "s"], "--secret: expected a text of at"),
    "no user": (["token"], "--user"),
    "bad user": (["token", "--user", str(RUN)], "expected a user id, got run"),
    "bad ttl": (["token", "--user", "a", "--ttl", "0"], "--ttl"),
    "no journal": (["events", "--journal", "no.db"], "there is no journal at no.db"),
    "memory journal": (["events", "--journal", ":memory:"], "must be a file, not :memory:"),
    "more than it takes": (["events", "today"], "does not take these arguments: today"),
    "a directory": (["demo", "--journal", "."], "--journal: . is a directory"),
    "endless token": (["token", "--user", "a", "--ttl", "inf"], "--ttl"),
    "unknown option": (["events", "--fllow"], "--fllow"),
}


@pytest.mark.parametrize(("arguments", "said"), MISUSES.values(), ids=MISUSES)
def test_a_misuse_is_one_line_and_exit_code_2(arguments: list[str], said: str, here: Path) -> None:
    result = greenroom(*arguments, cwd=here, secret=SECRET)
    assert said in complaint(result)
    assert result.code == 2


def test_serving_without_a_way_to_check_tokens_is_refused_with_advice(here: Path) -> None:
    result = greenroom("serve", "app:agent", cwd=here)
    assert "secret, key_file and jwks_file" in complaint(result)
    assert "GREENROOM_SECRET" in result.err
    assert result.code == 2


def test_every_bad_setting_gets_a_line(here: Path) -> None:
    (here / "greenroom.toml").write_text('prot = 1\nlog_level = "loud"\n')
    result = greenroom("serve", "app:agent", cwd=here, secret=SECRET)
    lines = result.err.splitlines()
    assert lines[0].startswith("greenroom: error: greenroom.toml: prot: there is no such setting")
    assert lines[1].startswith("greenroom: error: greenroom.toml: log_level: expected one of")
    assert result.code == 2


def test_an_unknown_kind_is_answered_with_the_known_ones(journal: Path) -> None:
    result = greenroom("events", "--kind", "agent_thought", cwd=journal.parent)
    assert "agent_thinking" in complaint(result)
    assert result.code == 2


def test_an_error_inside_the_target_shows_the_users_own_line(here: Path) -> None:
    result = greenroom("serve", "broken:agent", cwd=here, secret=SECRET)
    expected = rf"broken failed .* ZeroDivisionError: .*\(line 2 of {here}/broken\.py: y = x / 0\)"
    assert re.match(expected, complaint(result))
    assert result.code == 1


def test_debug_adds_the_traceback(here: Path) -> None:
    result = greenroom("serve", "broken:agent", "--debug", cwd=here, secret=SECRET)
    assert "Traceback" in result.err
    assert "greenroom: error: broken failed" in result.err
    assert result.code == 1


@pytest.mark.parametrize("arguments", [["demo"], ["serve", "app:agent"]], ids=["demo", "serve"])
def test_a_busy_port_is_one_line_and_exit_code_1(arguments: list[str], here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = greenroom_process(*arguments, "--port", port, cwd=here, secret=SECRET)
    assert port in complaint(result)
    assert result.code == 1


def test_of_what_nurseries_wrapped_the_error_of_ours_is_spoken() -> None:
    ours = BadSettings(["port: expected a port"])
    group = ExceptionGroup("", [OSError("gone"), ExceptionGroup("", [ours, ValueError()])])
    assert cause_of(group) is ours
    assert cause_of(ExceptionGroup("", [failed := OSError("gone")])) is failed
    assert cause_of(failed) is failed


def test_a_file_that_is_no_journal_is_one_line_and_exit_code_1(here: Path) -> None:
    (here / "notes.db").write_text("not a database at all, but long enough to look like one" * 99)
    for arguments in (["events"], ["serve", "app:agent", "--port", "0"]):
        result = greenroom_process(*arguments, "--journal", "notes.db", cwd=here, secret=SECRET)
        assert "notes.db" in complaint(result)
        assert result.code == 1


def test_a_journal_that_another_server_has_is_one_line_and_exit_code_1(here: Path) -> None:
    with running("serve", "app:agent", "--port", "0", cwd=here, secret=SECRET) as server:
        server.line()
        result = greenroom_process("serve", "app:agent", "--port", "0", cwd=here, secret=SECRET)
        assert str(server.process.pid) in complaint(result)
        assert result.code == 1


def test_a_token_is_all_that_is_printed_and_proves_the_user(here: Path) -> None:
    (here / "greenroom.toml").write_text('audience = "chat"\nissuer = "me"\n')
    result = greenroom("token", "--user", "alice", "--ttl", "60", cwd=here, secret=SECRET)
    assert (result.code, result.err) == (0, "")
    (token,) = result.out.splitlines()
    door = JwtAuthenticator.from_secret(SECRET, audience="chat", issuer="me")
    assert trio.run(door.authenticate, token).user == "alice"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_at_the_url_it_prints_until_it_is_told_to_stop(
    end: signal.Signals, here: Path
) -> None:
    with running("serve", "app.py:agent", "--port", "0", cwd=here, secret=SECRET) as server:
        announced = server.line()
        url = re.search(r"http://\S+", announced)
        assert announced.startswith("greenroom serves app.py:agent at ")
        assert url is not None
        assert urllib.request.urlopen(f"{url[0]}livez", timeout=PATIENCE).status == 200
        assert server.interrupt(end).code == 0


def test_the_demo_keeps_its_secret_for_its_owner_alone_and_over_restarts(here: Path) -> None:
    secrets = []
    for _ in range(2):
        with running("demo", "--port", "0", cwd=here) as demo:
            url = re.search(r"http://127\.0\.0\.1:\d+/", demo.line())
            assert url is not None
            assert b"<html" in urllib.request.urlopen(url[0], timeout=PATIENCE).read()
            assert demo.interrupt().code == 0
        file = here / "greenroom-demo.db.secret"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        secrets.append(file.read_text())
    assert secrets[0] == secrets[1]


def test_a_demo_in_memory_leaves_nothing_behind(here: Path) -> None:
    before = set(here.iterdir())
    with running("demo", "--port", "0", "--journal", ":memory:", cwd=here) as demo:
        demo.line()
        assert demo.interrupt().code == 0
    assert set(here.iterdir()) - before <= {here / "__pycache__"}


def test_a_demo_given_another_programs_file_leaves_nothing_beside_it(here: Path) -> None:
    (here / "junk.db").write_text("once upon a time " * 1_000)
    before = set(here.iterdir())
    result = greenroom_process("demo", "--port", "0", "--journal", "junk.db", cwd=here)
    assert "junk.db is not a journal or is damaged" in complaint(result)
    assert result.code == 1
    assert set(here.iterdir()) - before <= {here / "__pycache__"}


def test_a_demo_on_a_port_that_cannot_be_leaves_no_secret(here: Path) -> None:
    before = set(here.iterdir())
    result = greenroom("demo", "--port", "80000", cwd=here)
    assert "port: expected a" in complaint(result)
    assert result.code == 2
    assert set(here.iterdir()) == before


def test_a_spoilt_demo_secret_is_named_with_what_to_do(here: Path) -> None:
    (here / "greenroom-demo.db.secret").write_text("short")
    result = greenroom("demo", "--port", "0", cwd=here)
    assert "greenroom-demo.db.secret must hold a secret" in complaint(result)
    assert "delete the file" in result.err
    assert result.code == 2


def shown(journal: Path, *options: str) -> list[dict[str, object]]:
    result = greenroom("events", "--json", *options, cwd=journal.parent)
    assert (result.code, result.err) == (0, "")
    return [json.loads(line) for line in result.out.splitlines()]


def test_events_are_json_lines_as_on_the_wire_with_number_and_user(journal: Path) -> None:
    first, *_ = events = shown(journal)
    assert [(event["user"], event["offset"]) for event in events] == [
        ("alice", 1),
        ("alice", 2),
        ("bob", 1),
        ("alice", 3),
    ]
    assert (first["number"], first["kind"], first["data"]) == (1, "user_said", {"text": NASTY})


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--user", "alice"], [1, 2, 4]),
        (["--thread", THREADS[1]], [3, 4]),
        (["--kind", "agent_thinking"], [2, 3]),
        (["--user", "alice", "--kind", "agent_thinking"], [2]),
        (["--limit", "2"], [3, 4]),
        (["--user", "carol"], []),
    ],
)
def test_events_are_those_asked_for(options: list[str], numbers: list[int], journal: Path) -> None:
    assert [event["number"] for event in shown(journal, *options)] == numbers


def test_the_table_for_people_lets_no_event_write_to_their_terminal(journal: Path) -> None:
    result = greenroom("events", cwd=journal.parent)
    heading, *rows = result.out.splitlines()
    assert heading.split() == ["time", "user", "offset", "run", "kind", "data"]
    assert [row.split()[1] for row in rows] == ["alice", "alice", "bob", "alice"]
    assert all("fine" in row for row in rows)
    assert all(character.isprintable() for row in rows for character in row)


def test_follow_shows_what_is_written_meanwhile_and_ctrl_c_is_quiet(journal: Path) -> None:
    with running("events", "--json", "--follow", "--limit", "1", cwd=journal.parent) as reader:
        assert json.loads(reader.line())["number"] == 4
        write(journal, record("bob", 2, Kind.FINAL_REPORT))
        assert json.loads(reader.line())["number"] == 5
        write(journal, record("bob", 3, Kind.FINAL_REPORT))
        assert json.loads(reader.line())["number"] == 6
        assert reader.interrupt() == Result(130, "", "")


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_closed_pipe_is_quiet(options: list[str], journal: Path) -> None:
    more = [record("carol", offset, Kind.AGENT_THINKING) for offset in range(1, 2_000)]
    write(journal, *more)
    with subprocess.Popen(
        command(["events", *options]),
        cwd=journal.parent,
        env=environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 141


@pytest.mark.parametrize("arguments", [["usage"], ["journal", "export", "-"]])
def test_a_pipe_that_nobody_reads_is_quiet(arguments: list[str], journal: Path) -> None:
    unread, pipe = os.pipe()
    os.close(unread)
    done = subprocess.run(
        command(arguments),
        cwd=journal.parent,
        env=environment(None),
        stdout=pipe,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    os.close(pipe)
    assert (done.returncode, done.stderr) == (141, b"")
