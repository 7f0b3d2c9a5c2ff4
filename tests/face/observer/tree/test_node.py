"""One node of the tree: `GET /admin/node`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
import trio

from greenroom.actors import Actor
from greenroom.supervisor import (
    DynamicSupervisorRef,
    Restart,
    actor_child,
    dynamic_supervisor_child,
)
from tests.face.http_get import get
from tests.face.observer.tree.tree_stream import Json
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, crash_user_actor, is_back, serving, token_for

pytestmark = [pytest.mark.requirement("R42")]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN) as server:
        yield server


def node(server: Server, path: str, expected: int = 200) -> Json:
    status, body, _ = get(server, f"/admin/node?{urlencode({'path': path})}")
    assert status == expected, body
    said: Json = json.loads(body)
    return said


class Sleeper(Actor[str]):
    capacity = 9

    async def started(self) -> None:
        self.timers.start("nap", 60.0, "wake up")

    async def receive(self, message: str) -> None:
        if message == "crash":
            raise RuntimeError("<b>overslept</b>")
        await trio.sleep_forever()


def start_sleeper(server: Server) -> None:
    """It sleeps on its first message, and the second one waits."""
    start = server.runtime.root.start_child
    ref = server.run(start, actor_child("sleeper", Sleeper))
    server.run_sync(ref.tell, "now")
    server.wait_until(lambda: ref.statistics().taken == 1)
    server.run_sync(ref.tell, "later")


def test_a_node_shows_what_waits_what_came_last_and_its_timers(server: Server) -> None:
    start_sleeper(server)
    said = node(server, "greenroom/sleeper")
    assert said["schema"] == "greenroom.node/1"
    assert said["node"]["mailbox"]["depth"] == 1
    assert said["node"]["mailbox"]["capacity"] == 9
    assert (said["waiting"], said["recent"]) == (["str"], ["str"])
    (timer,) = said["timers"]
    assert (timer["name"], timer["message"]) == ("nap", "str")
    assert 0 < timer["in"] < 61
    assert said["supervisor"]["path"] == "greenroom"
    assert said["supervisor"]["budget"] >= 0
    assert said["supervisor"]["intensity"].endswith(" s")
    assert (said["machine"], said["crashes"]) == (None, [])
    assert "wake up" not in json.dumps(said), "of messages only the kind is shown"


def test_a_machine_is_drawn_with_all_its_states_and_without_a_style(server: Server) -> None:
    with Client(server.port, token_for("alice")) as tab:
        tab.hello()
        path = server.run_sync(connection_of, server)
        said = node(server, path)
    machine = said["machine"]
    assert machine["phase"] == "READY"
    assert machine["moves"][-1]["new"] == "READY"
    drawing = ElementTree.fromstring(said["drawing"])
    groups = [each.get("data-state") for each in drawing.iter() if each.get("class") == "state"]
    assert sorted(map(str, groups)) == sorted(machine["states"])
    assert "<style" not in said["drawing"]
    assert " style=" not in said["drawing"]


def connection_of(server: Server) -> str:
    paths = [each.path for each in server.runtime.tree().walk() if each.phase == "READY"]
    return paths[0]


def test_a_supervisor_shows_its_own_budget_and_how_many_children_it_has(server: Server) -> None:
    root = node(server, "greenroom")
    assert root["node"]["hidden"] > 2
    assert root["node"]["children"] == []
    assert "restarts in" in root["intensity"]
    assert "restarts in" in node(server, "greenroom/users")["intensity"]


def test_a_node_shows_its_crashes_and_those_below_it(server: Server) -> None:
    with Client(server.port, token_for("alice")) as tab:
        tab.hello()
        crash_user_actor_of(server)
        (crash,) = node(server, "greenroom/users/user:alice")["crashes"]
    assert get(server, f"/admin/crashes/{crash['id']}")[0] == 200


def crash_user_actor_of(server: Server) -> None:
    server.run_sync(crash_user_actor, server, "alice")
    server.wait_until(lambda: len(server.runtime.crashes()) == 1 and is_back(server, "alice"))


def test_of_a_node_that_is_gone_it_says_when_and_why_it_ended(server: Server) -> None:
    server.run(sleep_badly, server)
    server.wait_until(lambda: not server.runtime.root.child("bed", DynamicSupervisorRef).children())
    gone = node(server, "greenroom/bed/sleeper", 404)
    assert "<b>overslept</b>" in gone["why"]
    assert gone["ended_at"] > 1e12
    assert get(server, f"/admin/crashes/{gone['crash']}")[0] == 200


async def sleep_badly(server: Server) -> None:
    bed = await server.runtime.root.start_child(dynamic_supervisor_child("bed"))
    spec = actor_child("sleeper", Sleeper, restart=Restart.TEMPORARY)
    (await bed.start_child(spec)).tell("crash")


def test_a_node_that_never_was_is_not_found(server: Server) -> None:
    assert "no node" in node(server, "greenroom/nobody", 404)["error"]
    assert "no node" in node(server, "elsewhere", 404)["error"]
    assert get(server, "/admin/node")[0] == 400
