"""The fifth report: all tests were green, since they tested mocks; what real use did was not."""

from __future__ import annotations

import ast
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from greenroom.transport.door.listeners import PortBusy
from tests.protocol.client import Client, Json
from tests.protocol.server import token_for
from tests.scenarios.stage import Serving, offsets
from tests.system.processes import free_port

FAKED = {"mock", "monkeypatch", "patch", "MagicMock", "mocker"}


@pytest.mark.own_server("the port of an ASGI server is not greenroom's to take")
@pytest.mark.requirement("R33")
def test_whoever_knocks_while_the_server_starts_is_turned_away_or_served_in_full(
    user: str, tmp_path: Path, serving: Serving
) -> None:
    """Without it: "init order races"."""
    port = free_port()

    def knock(number: int) -> list[Json]:
        while True:
            try:
                with Client(port, token_for(f"{user}-{number}")) as client:
                    client.hello()
                    return client.story("hello")
            except ConnectionRefusedError:
                time.sleep(0.01)  # leave the server some of the processor

    with ThreadPoolExecutor() as clients:
        knocking = [clients.submit(knock, number) for number in range(2)]
        with serving(port=port, journal=tmp_path / "g.db"):
            stories = [each.result(20) for each in knocking]
    assert all(story[-1]["data"] == {"outcome": "ok"} for story in stories)


@pytest.mark.own_server("the port of an ASGI server is not greenroom's to take")
@pytest.mark.requirement("R33")
def test_a_start_that_fails_names_its_culprit_and_leaves_nothing_behind(
    connect: Callable[..., Client], tmp_path: Path, serving: Serving
) -> None:
    """Without it: "init order races". The port is the last thing a server takes."""
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(PortBusy, match=f"port {port} of 127.0.0.1 is in use"),
        serving(port=port, journal=tmp_path / "g.db"),
    ):
        pass
    with serving(port=port, journal=tmp_path / "g.db") as server:
        client = connect(server)
        client.hello()
        assert offsets(client.story("hello")) == [1, 2, 3]


@pytest.mark.every_server
@pytest.mark.requirement("R34")
@pytest.mark.requirement("R35")
def test_a_page_that_is_reloaded_and_cut_in_the_middle_of_a_run_shows_each_event_once(
    connect: Callable[..., Client],
) -> None:
    """A page keeps session, epoch and offset; each load of it shows what the last ones did not."""
    page = connect()
    ready = page.hello()
    kept = {name: ready[name] for name in ("session", "epoch", "offset")}
    run = page.ask("say", id="1", body="tick")["run"]
    screen: list[Json] = []
    for load in range(10):
        screen += page.take("events")["events"]
        kept["offset"] = screen[-1]["offset"]
        if load % 2:
            page.cut()  # or else the old page is still there when the new one comes
        page = connect()
        assert page.hello(**kept)["recovered"] is True
    page.ask("cancel", id="2", run=run)
    screen += page.events()
    assert offsets(screen) == [*range(1, len(screen) + 1)]
    assert screen[-200:] == page.ask("history", id="h", limit=200)["events"]


@pytest.mark.requirement("R37")
def test_no_scenario_puts_a_mock_in_the_place_of_any_part() -> None:
    """Without it: "mocks hid all of this"."""
    files = [*Path(__file__).parent.glob("*.py"), *Path(__file__).parents[1].glob("protocol/*.py")]
    assert len(files) > 15
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        words |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        imported = [
            node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        words |= {alias.name.rpartition(".")[2] for node in imported for alias in node.names}
        assert words & FAKED == set(), file.name
