"""Whatever users say and agents raise, no command lets it draw on a terminal or forge a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import greenroom
from greenroom.actors.text.escaping import one_line
from greenroom.delivery.events.ids import SessionId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import DeadLetter, Mark
from tests.delivery.history.run_story import NOON, Author, write
from tests.face import cli
from tests.face.cli import Result
from tests.face.commands.every_command import BRIEF, CASES, World, make_world
from tests.face.commands.forged import CONTROL, FORGED, STYLE
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

FOR_PROGRAMS = {"journal export"}  # JSON, as exact as it is kept
SHOWN = [name for name in BRIEF if name not in FOR_PROGRAMS]

pytestmark = pytest.mark.fault("P4")


async def deceived(_: greenroom.Run, said: greenroom.JSON) -> None:
    raise type(FORGED, (Exception,), {})(said)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN, agent=deceived) as server:
        yield server


@pytest.fixture(scope="module")
def kept(server: Server, tmp_path_factory: pytest.TempPathFactory) -> World:
    with Client(server.port, token_for("alice")) as client:
        client.hello()
        client.ask("say", id="1", body=FORGED)
        client.events(until="agent_failed")
        server.wait_until(lambda: bool(server.runtime.crashes()))
    directory = tmp_path_factory.mktemp("forged")
    world = make_world(directory, server, server.runtime.crashes()[0].id)
    return World(directory, {**world.ids, **forge(directory / "greenroom.db")})


def forge(journal: Path) -> dict[str, str]:
    """A run with a user's text wherever there is text, its last event a dead letter."""
    author = Author(salt=2)
    author.user = type(author.user)("mallory")
    run, tell = author.run(), author.tell
    tell(0, run, Kind.USER_SAID, body={FORGED: FORGED}, say="1")
    tell(1, run, Kind.AGENT_STARTED, agent=FORGED)
    tell(2, run, Kind.AGENT_THINKING, text=FORGED)
    tell(3, run, Kind.TOOL_EXECUTING, tool_call="1", tool_name=FORGED, arguments={"x": FORGED})
    error = {"error": FORGED, "duration_ms": 1}
    tell(4, run, Kind.TOOL_COMPLETED, tool_call="1", tool_name=FORGED, **error)
    lost = tell(5, run, Kind.AGENT_FAILED, error=FORGED, message=FORGED, reason="crash")
    letter = DeadLetter(
        *(lost.user, lost.offset, lost.id, lost.kind, "dead_lettered", []), at=NOON + 9
    )
    mark = Mark(
        *(lost.user, author.ids.new(SessionId), lost.offset, "confirmed", FORGED, FORGED, NOON + 9)
    )
    write(journal, *author.records, mark, letter)
    return {"run": run, "event": lost.id}


@pytest.fixture
def call(kept: World) -> Callable[..., Result]:
    return partial(cli.greenroom, cwd=kept.directory)


@pytest.mark.parametrize(
    "words", [*(CASES[name].words for name in SHOWN), "usage --by tool", "usage --by agent"]
)
def test_no_command_prints_a_control_that_somebody_else_put_in(
    words: str, call: Callable[..., Result], kept: World
) -> None:
    result = call(*kept.words(words))
    said = result.out + result.err
    assert not CONTROL.search(STYLE.sub("", said)), ascii(said)
    assert not any(line.startswith("1999-01-01T") for line in said.splitlines())


@pytest.mark.parametrize("words", ["events", "timeline {run}", "crash {crash}"])
def test_what_was_said_is_shown_escaped(
    words: str, call: Callable[..., Result], kept: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    assert one_line(FORGED)[:40] in call(*kept.words(words)).out.replace(r"\\", "\\")


@pytest.mark.parametrize(
    "words", ["timeline {x}", "crash {x}", "events --user {x}", "ids explain {x}"]
)
def test_nor_is_what_is_given_to_a_command_repeated_raw(
    words: str, call: Callable[..., Result]
) -> None:
    result = call(*(word.format(x=FORGED) for word in words.split()))
    assert not CONTROL.search(result.out + result.err)
