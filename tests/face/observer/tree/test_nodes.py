"""The tree in windows: `GET /admin/nodes`, and as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlencode

import pytest
import trio
import trio.testing

from greenroom.supervisor import DynamicSupervisorRef
from greenroom.supervisor.inspection.slices import Slices
from tests.face.http_get import get
from tests.face.observer.browsing import Visitor
from tests.face.observer.tree.crowds import HOSTILE, Busy, busy, crowd
from tests.face.observer.tree.tree_stream import (
    Json,
    TreeStream,
    asked_stream,
    nodes,
    tree_stream,
)
from tests.protocol.asgi_servers import serving_by
from tests.protocol.server import ADMIN, Server, serving

pytestmark = [pytest.mark.requirement("R42")]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN) as server:
        yield server


def paths(answer: Json) -> list[str]:
    return [row["path"] for row in answer["rows"]]


def test_a_window_on_ten_thousand_users_is_as_small_as_on_ten(server: Server) -> None:
    server.run(crowd, server, *(f"user:{number:05}" for number in range(10_000)))
    window = nodes(server, open="greenroom/crowd", offset=5_000, limit=20)
    assert window["total"] > 10_000
    assert len(window["rows"]) == 20
    assert {row["level"] for row in window["rows"]} == {3}
    assert nodes(server, under="greenroom/crowd", limit=9_999)["total"] == 10_001
    assert len(nodes(server, under="greenroom/crowd", limit=9_999)["rows"]) == 200
    assert nodes(server, search="USER:0999")["total"] == 10
    assert nodes(server)["total"] < 20, "nothing but the root is open"


def test_a_node_shows_its_children_once_it_is_open(server: Server) -> None:
    server.run(crowd, server, "user:ann", "user:bob")
    busy(server, "user:ann", "one", "two")
    closed = nodes(server, under="greenroom/crowd")
    assert paths(closed)[1:] == ["greenroom/crowd/user:ann", "greenroom/crowd/user:bob"]
    top, ann, _ = closed["rows"]
    assert (top["level"], top["children"], top["below"]) == (1, 2, 3)
    assert (ann["waiting"], ann["total"]["waiting"], ann["kind"]) == (0, 2, "supervisor")

    opened = nodes(server, under="greenroom/crowd", open=["greenroom/crowd/user:ann"])
    (row,) = (each for each in opened["rows"] if each["id"] == "busy")
    assert (row["level"], row["waiting"], row["capacity"], row["last_message"]) == (3, 2, 50, "str")


def test_a_list_has_the_worst_first_and_only_those_that_carry_any(server: Server) -> None:
    server.run(crowd, server, "user:ann", "user:bob", "user:cid")
    busy(server, "user:ann", "x" * 10_000)
    busy(server, "user:bob", "one", "two", "three")
    of_bob, of_ann = "greenroom/crowd/user:bob/busy", "greenroom/crowd/user:ann/busy"
    waiting = nodes(server, sort="waiting", under="greenroom/crowd")
    assert paths(waiting) == [of_bob, of_ann]
    assert {row["level"] for row in waiting["rows"]} == {3}
    held = nodes(server, sort="held", under="greenroom/crowd")
    assert held["rows"][0]["path"] == of_ann
    assert held["rows"][0]["held"] >= 10_000
    assert paths(nodes(server, sort="restarts")) == []
    assert nodes(server, sort="cpu")["cpu_measured"] is False


def test_processor_time_is_listed_where_it_is_measured() -> None:
    with serving(admin_token=ADMIN, measure_cpu=True) as server:
        server.run(crowd, server, "user:ann")
        busy(server, "user:ann", "one")
        found = nodes(server, sort="cpu")
    assert found["cpu_measured"] is True
    assert found["rows"][0]["cpu"] >= found["rows"][-1]["cpu"] >= 0


def test_names_of_any_characters_come_as_they_are(server: Server) -> None:
    server.run(crowd, server, HOSTILE, "user:a/b")
    busy(server, "user:a/b")
    assert paths(nodes(server, search="<IMG")) == [f"greenroom/crowd/{HOSTILE}"]
    path = "greenroom/crowd/user:a/b"
    assert paths(nodes(server, under=path)) == [path, f"{path}/busy"]
    opened = nodes(server, under="greenroom/crowd", open=path)
    assert f"{path}/busy" in paths(opened)


MANY = "&".join(f"open={number}" for number in range(101))


@pytest.mark.parametrize("query", ["sort=luck", "offset=-1", "limit=many", "search=%ff", MANY])
def test_a_query_that_means_nothing_is_refused_with_the_reason(server: Server, query: str) -> None:
    status, body, _ = get(server, f"/admin/nodes?{query}")
    assert status == 400
    assert body.decode().endswith(".\n")


def test_a_part_of_the_tree_that_is_gone_is_not_found(server: Server) -> None:
    answer = nodes(server, under="greenroom/crowd/user:nobody")
    assert (answer["found"], answer["rows"], answer["total"]) == (False, [], 0)


def test_all_who_look_share_one_survey(server: Server) -> None:
    both = [nodes(server, sort=sort)["at"] for sort in ("waiting", "held", "waiting")]
    assert len(set(both)) == 1


# ---- as a stream -------------------------------------------------------------------------------


def test_a_stream_has_the_window_and_then_only_what_changes_in_it(server: Server) -> None:
    server.run(crowd, server, "user:ann", "user:bob")
    busy(server, "user:ann", "one")
    path = "greenroom/crowd/user:ann"
    with tree_stream(server.port, f"?{urlencode({'under': path})}&limit=2") as stream:
        name, window = stream.next()
        assert (name, window["schema"]) == ("window", "greenroom.nodes/1")
        assert paths(window) == [path, f"{path}/busy"]
        server.run(busy_more, server, "user:ann")
        *_, last = stream.until(f"{path}/busy", waiting=2)
        assert "order" not in last
        server.run(crowd, server, "user:cid")  # outside of the window
        server.run(end, server, "user:ann")
        name, gone = stream.next()
        assert (name, gone["found"], gone["order"], gone["total"]) == ("change", False, [], 0)


async def busy_more(server: Server, user: str) -> None:
    crowd = server.runtime.root.child("crowd", DynamicSupervisorRef)
    crowd.child(user, DynamicSupervisorRef).child("busy", Busy).tell("more")


async def end(server: Server, user: str) -> None:
    await server.runtime.root.child("crowd", DynamicSupervisorRef).terminate_child(user)


def test_a_stream_ends_when_the_server_drains(server: Server) -> None:
    with tree_stream(server.port) as stream:
        assert stream.next()[0] == "window"
        server.run(server.runtime.drain)
        assert drained(stream) == "end"
    server.wait_until(lambda: streams(server) == 0)


def test_a_stream_ends_with_the_session_of_its_visitor(server: Server) -> None:
    visitor = Visitor(server)
    visitor.sign_in()
    with tree_stream(server.port, Cookie=visitor.cookie) as stream:
        assert stream.next()[0] == "window"
        assert visitor.ask("DELETE", "/admin/session").status == 200
        assert drained(stream) == "end"


def drained(stream: TreeStream) -> str:
    names = iter(stream.next, ("closed", {}))
    return [name for name, _ in names][-1]


def streams(server: Server) -> int:
    tree = server.runtime.tree().find("greenroom/streams")
    return 0 if tree is None else len(tree.children)


def test_a_client_that_leaves_ends_its_stream(server: Server) -> None:
    with tree_stream(server.port) as stream:
        stream.next()
        assert server.run_sync(streams, server) == 1
    server.wait_until(lambda: streams(server) == 0)


def test_too_many_streams_are_refused(server: Server) -> None:
    with ExitStack() as opened:
        for _ in range(16):
            opened.enter_context(tree_stream(server.port)).next()
        status, _, headers = get(server, "/admin/nodes/changes")
    assert (status, headers["retry-after"]) == (503, "5")


def test_streams_that_are_asked_for_at_once_are_no_more_than_the_rest(server: Server) -> None:
    """They may all be granted before the first of them begins."""
    with ExitStack() as opened:
        asked = [opened.enter_context(closing(asked_stream(server.port))) for _ in range(30)]
        answers = [each.getresponse() for each in asked]
        granted = [TreeStream(each) for each in answers if each.status == 200]
        windows = [each for each in granted if each.next()[0] == "window"]
        assert 0 < len(windows) <= 16


def test_a_visitor_without_the_token_gets_no_stream(server: Server) -> None:
    assert get(server, "/admin/nodes/changes", token=None)[0] == 401
    assert get(server, "/admin/nodes", token="x" * 40)[0] == 401
    assert get(server, "/admin/nodes/changes", method="HEAD")[0] == 200


def test_an_asgi_server_streams_it_too() -> None:
    with serving_by("asyncio", admin_token=ADMIN) as server, tree_stream(server.port) as stream:
        assert stream.next()[0] == "window"
        server.run(crowd, server, "user:ann")
        name, change = stream.next()
        assert (name, "greenroom/crowd" in change["order"]) == ("change", True)
        server.run(server.runtime.drain)
        assert drained(stream) == "end"


# ---- and how ------------------------------------------------------------------------------------


def test_long_work_rests_so_that_others_get_their_turns() -> None:
    now, longest, worked = 0.0, 0.0, 0.0

    def steps() -> Iterator[None]:
        nonlocal now, worked, longest
        for _ in range(10_000):
            now += 0.0001
            worked += 0.0001
            longest = max(longest, worked)
            yield

    async def others() -> None:
        nonlocal worked
        while True:
            worked = 0.0
            await trio.sleep(0.001)

    async def main() -> None:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(others)
            await Slices(lambda: now).go_through(steps())
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began > 3 * now, "it rests for longer than it works"

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert longest < 0.005
