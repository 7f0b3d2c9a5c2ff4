"""Every command there is, and words with which it has something to say."""

from __future__ import annotations

import enum
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from cyclopts import App

from greenroom.commands.table import COMMANDS
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Record
from greenroom.parsing import load
from tests.delivery.history.run_story import Afternoon, Author, write
from tests.face.cli import SECRET
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

SHOP = Path(__file__).parents[3] / "examples" / "corner_shop.py"
LONG = "a long word " * 100
STRANGE = UserId("zoë·日本")
GATES = """
import enum
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.table import On
from greenroom.actors.machine.step import go

class Gate(enum.Enum):
    GESCHLOSSEN = 1
    GEÖFFNET = 2

class Pull: ...

gate = Machine(
    name="gate", states=Gate, initial=Gate.GESCHLOSSEN, final={Gate.GEÖFFNET},
    transitions=[On(Gate.GESCHLOSSEN, Pull, lambda d, _: go(Gate.GEÖFFNET, d), to={Gate.GEÖFFNET})],
)

async def agent(run, said): ...
"""


class Needs(enum.Enum):
    """What a command asks: a journal in its directory, a server that its settings name."""

    NOTHING = enum.auto()
    JOURNAL = enum.auto()
    SERVER = enum.auto()


@attrs.frozen
class Case:
    """`words` has places for ids of the world. `nothing`: what it says where there is nothing.

    `unknown`: what it says of an id that nothing has, `other`: of one of another kind.
    """

    words: str
    needs: Needs = Needs.NOTHING
    json: bool = False
    nothing: str = ""
    unknown: tuple[str, str] | None = None
    other: tuple[str, str] | None = None
    lasts: bool = False
    elsewhere: bool = False
    """It needs the journal of the server that it asks: see `test_runs_command`; or one in Postgres:
    see `test_nodes_command`, `test_worker_command` and `test_journal_move`."""


THREAD = "thread_01h455vb4pex5vsknk084sn02q"
SESSION = "sess_01h455vb4pex5vsknk084sn02q"
EVENT = "evt_01h455vb4pex5vsknk084sn02q"
RUN = "run_01h455vb4pex5vsknk084sn02q"
WRONG = f"expected an event id, got thread: '{THREAD}'"
NO_LETTER = f"{EVENT} is no dead letter"

CASES = {
    "demo": Case("demo --port 0 --journal :memory:", lasts=True),
    "serve": Case(f"serve world.py:agent --port 0 --secret {SECRET}", lasts=True),
    "worker": Case("worker world.py:agent", lasts=True, elsewhere=True),
    "token": Case(
        f"token --secret {SECRET} --user alice",
        other=(RUN, f"expected a user id, got run: '{RUN}'"),
    ),
    "events": Case(
        "events",
        Needs.JOURNAL,
        json=True,
        nothing="no events\n",
        unknown=("--user carol --kind user_said", "no events (user carol, kind user_said)"),
        other=(f"--thread {RUN}", f"expected a thread id, got run: '{RUN}'"),
    ),
    "timeline": Case(
        "timeline {run}",
        Needs.JOURNAL,
        json=True,
        nothing="has no run",
        unknown=("zzz", "greenroom.db begins or ends with 'zzz'"),
        other=(THREAD, f"expected a run id, got thread: '{THREAD}'"),
    ),
    "explain": Case(
        "explain {event}",
        Needs.JOURNAL,
        json=True,
        nothing="there is no event",
        unknown=(EVENT, f"there is no event {EVENT}"),
        other=(THREAD, WRONG),
    ),
    "why": Case(
        "why {event}",
        Needs.JOURNAL,
        json=True,
        nothing="there is no event",
        unknown=(EVENT, f"there is no event {EVENT}"),
        other=(SESSION, f"expected an event, run, thread or user id, got session: '{SESSION}'"),
    ),
    "usage": Case("usage", Needs.JOURNAL, json=True, nothing="nothing happened since"),
    "dead-letters list": Case(
        "dead-letters list",
        Needs.JOURNAL,
        json=True,
        nothing="no dead letters\n",
        unknown=("--user carol", "no dead letters (user carol)"),
        other=(f"--user {RUN}", f"expected a user id, got run: '{RUN}'"),
    ),
    "dead-letters show": Case(
        "dead-letters show {event}",
        Needs.JOURNAL,
        json=True,
        nothing="is no dead letter",
        unknown=(EVENT, NO_LETTER),
        other=(THREAD, WRONG),
    ),
    "dead-letters requeue": Case(
        "dead-letters requeue {event}",
        Needs.JOURNAL,
        nothing="is no dead letter",
        unknown=(EVENT, NO_LETTER),
        other=(THREAD, WRONG),
    ),
    "dead-letters drop": Case(
        "dead-letters drop {event}",
        Needs.JOURNAL,
        nothing="is no dead letter",
        unknown=(EVENT, NO_LETTER),
        other=(THREAD, WRONG),
    ),
    "threads list": Case(
        "threads list alice",
        Needs.JOURNAL,
        json=True,
        nothing="no threads (user alice)\n",
        other=(f"--before {RUN}", f"expected a thread id, got run: '{RUN}'"),
    ),
    "threads show": Case(
        "threads show alice {thread}", Needs.JOURNAL, nothing="alice has no thread"
    ),
    "threads title": Case(
        "threads title alice {thread} Rome", Needs.JOURNAL, nothing="alice has no thread"
    ),
    "threads archive": Case(
        "threads archive alice {thread}", Needs.JOURNAL, nothing="alice has no thread"
    ),
    "threads erase": Case(
        "threads erase alice {thread} --yes", Needs.JOURNAL, nothing="alice has no thread"
    ),
    "users export": Case("users export alice", Needs.JOURNAL, nothing='{"end":0}'),
    "users erase": Case(
        "users erase alice --yes", Needs.JOURNAL, nothing="nothing is kept of alice"
    ),
    "users disconnect": Case(
        "users disconnect --for 2h alice",
        Needs.SERVER,
        nothing="alice is disconnected, 0 connections ended; refused until ",
        other=(RUN, f"expected a user id, got run: '{RUN}'"),
    ),
    "users readmit": Case(
        "users readmit alice",
        Needs.SERVER,
        other=(RUN, f"expected a user id, got run: '{RUN}'"),
    ),
    "runs list": Case(
        "runs list",
        Needs.JOURNAL,
        json=True,
        nothing="no open runs\n",
        unknown=("--user carol", "no open runs (user carol)"),
        other=(f"--user {RUN}", f"expected a user id, got run: '{RUN}'"),
    ),
    "runs show": Case(
        "runs show {run}",
        Needs.JOURNAL,
        json=True,
        nothing="has no run",
        unknown=("zzz", "greenroom.db begins or ends with 'zzz'"),
        other=(THREAD, f"expected a run id, got thread: '{THREAD}'"),
    ),
    "runs retry": Case("runs retry {run}", Needs.SERVER, elsewhere=True),
    "runs cancel": Case("runs cancel {run}", Needs.SERVER, elsewhere=True),
    "tree": Case("tree", Needs.SERVER, json=True, nothing="greenroom running"),
    "nodes": Case("nodes", elsewhere=True),
    "crashes": Case("crashes", Needs.SERVER, json=True, nothing="nothing has crashed\n"),
    "crash": Case(
        "crash {crash}",
        Needs.SERVER,
        json=True,
        nothing="no crash that is kept has an id that begins with",
        unknown=("zzz", "no crash that is kept has an id that begins with 'zzz'"),
        other=(RUN, f"expected a crash id, got run: '{RUN}'"),
    ),
    "journal backup": Case("journal backup copy.db", Needs.JOURNAL, nothing="0 rows backed up"),
    "journal check": Case("journal check", Needs.JOURNAL, nothing="is sound"),
    "journal migrate": Case("journal migrate", Needs.JOURNAL, nothing="has no legacy ids"),
    "journal compact": Case(
        "journal compact --keep 1", Needs.JOURNAL, nothing="0 events forgotten"
    ),
    "journal export": Case("journal export -", Needs.JOURNAL, nothing="0 rows exported"),
    "journal import": Case("journal import export.jsonl --journal new.db"),
    "journal move": Case("journal move", elsewhere=True),
    "ids explain": Case("ids explain {run}", json=True),
    "machine": Case("machine world.py:gate"),
    "replay": Case(
        "replay --trust till.json",
        unknown=("6nyr", "there is no file 6nyr"),
    ),
}
"""By the command's name. A command that is not here fails a test."""

BRIEF = [name for name in CASES if not (CASES[name].lasts or CASES[name].elsewhere)]
VARIANTS = {
    "usage by user": "usage --by user",
    "usage by tool": "usage --by tool",
    "machine as svg": "machine world.py:gate --format svg",
    "machine as table": "machine world.py:gate --format table",
    "help": "--help",
    "help of a command": "timeline --help",
    "ids of none": "ids explain zoë…",
}
"""More ways to print."""


def names() -> set[str]:
    """Every command, from the command line itself."""
    return {name for top in COMMANDS for name in _below(top, load(COMMANDS[top]))}


def _below(name: str, found: object) -> Iterator[str]:
    if not isinstance(found, App):
        yield name
        return
    for each in found:
        if not each.startswith("-"):
            yield f"{name} {each}"


@attrs.frozen
class World:
    """A directory with a journal, settings that name a server, and files for other commands."""

    directory: Path
    ids: dict[str, str]

    def words(self, text: str) -> list[str]:
        return text.format(**self.ids).split()


def make_world(directory: Path, server: Server, crash: str) -> World:
    """A journal in which something happened to users of all sorts; `crash` is the server's."""
    directory.mkdir(exist_ok=True)
    afternoon, author = Afternoon(), Author(STRANGE, salt=1)
    run = author.run()
    author.tell(0, run, Kind.USER_SAID, body=f"Wie heißt 日本?\x1b[2J {LONG}", say="1")
    author.tell(9, run, Kind.AGENT_STARTED, agent="große Köchin")
    write(directory / "greenroom.db", *afternoon.entries, *author.records)
    (directory / "world.py").write_text(GATES, encoding="utf-8")
    (directory / "export.jsonl").write_bytes(export(directory))
    make_settings(directory, server)
    shutil.copy(SHOP, directory)
    subprocess.run([sys.executable, SHOP.name], cwd=directory, check=True, capture_output=True)
    events = (each for each in afternoon.entries if isinstance(each, Record))
    thread = next(each.thread for each in events if each.user == "alice")
    ids = {"run": run, "event": afternoon.lost.id, "crash": crash, "thread": thread}
    return World(directory, ids)


def make_settings(directory: Path, server: Server) -> None:
    told = f"url = 'http://127.0.0.1:{server.port}'\nadmin_token = {ADMIN!r}\n"
    (directory / "greenroom.toml").write_text(told, encoding="utf-8")


def export(directory: Path) -> bytes:
    words = [sys.executable, "-m", "greenroom", "journal", "export", "-"]
    return subprocess.run(words, cwd=directory, check=True, capture_output=True).stdout


@contextmanager
def calm_server() -> Iterator[Server]:
    with serving(admin_token=ADMIN) as server:
        yield server


@contextmanager
def crashed_server() -> Iterator[tuple[Server, str]]:
    """A server on which an agent has crashed, and the crash's id."""
    with calm_server() as server, Client(server.port, token_for(STRANGE)) as client:
        client.hello()
        client.ask("say", id="1", body="crash")
        client.events(until="agent_failed")
        server.wait_until(lambda: bool(server.runtime.crashes()))
        yield server, server.runtime.crashes()[0].id


def json_lines(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]
