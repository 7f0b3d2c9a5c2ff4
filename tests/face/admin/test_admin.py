"""The admin endpoints of a real server: who may look in, and what they see."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest
import trio
import trio.testing

from greenroom.admin.door import AdminDoor
from greenroom.admin.guard import Guard
from greenroom.delivery.errors import JournalFull
from greenroom.delivery.events.record import DeadLetter
from greenroom.settings import Settings
from greenroom.supervisor.inspection.as_json import load_crash, load_crashes, load_tree
from greenroom.transport.door.answering import peer_of
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.visitors import VisitorTokens
from tests.delivery.backstage import Disk
from tests.face.commands.journal.letters import alices_letter
from tests.face.http_get import get
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

PATHS = ["/admin/tree", "/admin/crashes", "/admin/crashes/abc"]


@pytest.mark.parametrize("path", PATHS)
def test_without_an_admin_token_in_the_settings_there_is_no_such_place(path: str) -> None:
    with serving() as server:
        assert get(server, path)[:2] == get(server, "/nowhere")[:2]
        assert get(server, path)[0] == 404


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [None, "", "wrong", ADMIN[:-1], f"{ADMIN}x", "é"])
def test_only_the_admin_token_opens(token: str | None, path: str) -> None:
    with serving(admin_token=ADMIN) as server:
        status, body, headers = get(server, path, token)
    assert (status, body) == (
        401,
        b"The admin token is needed: send the header `Authorization: Bearer TOKEN`.\n",
    )
    assert headers["www-authenticate"] == "Bearer"


def test_a_users_token_does_not_open_it() -> None:
    with serving(admin_token=ADMIN) as server:
        assert get(server, "/admin/tree", token_for("alice"))[0] == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-Ip"])
def test_what_a_proxy_passed_on_is_not_of_this_machine(header: str) -> None:
    with serving(admin_token=ADMIN) as server:
        assert get(server, "/admin/tree", **{header: "127.0.0.1"})[0] == 403
    with serving(admin_token=ADMIN, admin_anywhere=True) as server:
        assert get(server, "/admin/tree", **{header: "10.0.0.1"})[0] == 200


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        (None, False),
    ],
)
async def test_only_peers_of_this_machine_are_heard(peer: str | None, local: bool) -> None:
    door = AdminDoor(None, None, None, Guard(VisitorTokens(ADMIN)))  # type: ignore[arg-type]  # no request reaches the parts
    headers = (("host", "127.0.0.1:8700"),)
    head = RequestHead("GET", "/admin/tree", "1.1", headers=headers, peer=peer)
    with pytest.raises(BadRequest) as refused:
        await door.routes()["/admin/tree"](head)
    assert refused.value.status == (401 if local else 403)


async def test_the_peer_is_the_other_end_of_the_socket_and_nothing_for_other_streams() -> None:
    one, _ = trio.testing.memory_stream_pair()
    assert peer_of(one) is None
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, await trio.open_tcp_stream(*listener.socket.getsockname()) as stream:
        assert peer_of(stream) == "127.0.0.1"
        await stream.aclose()
        assert peer_of(stream) is None


@pytest.mark.requirement("R42")
def test_the_tree_of_a_server_shows_users_and_the_phase_of_their_connections() -> None:
    with serving(admin_token=ADMIN) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        status, body, headers = get(server, "/admin/tree")
        tree = load_tree(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert headers["cache-control"] == "no-store"
    user = tree.find("greenroom/users/user:alice/connections")
    assert user is not None
    assert [node.phase for node in user.children] == ["READY"]
    assert user.children[0].machine == "connection"


def test_processor_time_is_measured_when_the_settings_say_so_and_only_then() -> None:
    for measured in (True, False):
        with serving(admin_token=ADMIN, measure_cpu=measured) as server:
            listeners = load_tree(get(server, "/admin/tree")[1]).find("greenroom/listeners")
            assert listeners is not None
            assert (listeners.cpu_share is not None) is measured


def test_children_of_the_tree_are_bounded_and_a_silly_bound_is_refused() -> None:
    with serving(admin_token=ADMIN) as server:
        tree = load_tree(get(server, "/admin/tree?children=1")[1])
        assert [child.id for child in tree.children] == ["users"]
        assert tree.hidden > 1
        assert get(server, "/admin/tree?children=-1")[0] == 400


@pytest.mark.requirement("R28")
@pytest.mark.requirement("R42")
def test_an_agents_crash_ends_the_run_for_the_user_and_leaves_a_report_for_the_operator() -> None:
    with serving(admin_token=ADMIN) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        client.ask("say", id="1", body="crash")
        *_, event = client.events(until="agent_failed")
        server.wait_until(lambda: bool(server.runtime.crashes()))
        (line,) = load_crashes(get(server, "/admin/crashes")[1])
        report = load_crash(get(server, f"/admin/crashes/{line.id}")[1])

    assert (event["data"]["error"], event["data"]["reason"]) == ("Error", "crash")
    assert report.path == f"greenroom/users/user:alice/runs/{event['run']}"
    assert report.error is not None
    assert (report.error.message, report.error.frames[-1].function) == ("boom", "narrator")
    assert 'raise RuntimeError("boom")' in report.traceback


def test_a_crash_that_is_not_kept_is_404_in_json() -> None:
    with serving(admin_token=ADMIN) as server:
        status, body, headers = get(server, "/admin/crashes/no%20such")
    assert status == 404
    assert orjson.loads(body) == {"error": "no crash 'no such' is kept"}
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
def test_what_is_there_to_look_at_can_only_be_looked_at(path: str) -> None:
    with serving(admin_token=ADMIN) as server:
        for method in ("POST", "DELETE", "PUT"):
            status, _, headers = get(server, path, method=method)
            assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def letter(disk: Disk) -> DeadLetter:
    kept, letter = alices_letter()
    trio.run(disk.append, [kept, letter])
    return letter


@pytest.fixture
def with_letter(disk: Disk, letter: DeadLetter) -> Iterator[Server]:
    with serving(disk, admin_token=ADMIN) as server:
        yield server


@pytest.mark.requirement("R02")
def test_a_letter_that_is_posted_reaches_its_connected_user_at_once(
    with_letter: Server, letter: DeadLetter
) -> None:
    path = f"/admin/dead-letters/{letter.event}"
    with Client(with_letter.port, token_for("alice")) as alice:
        alice.hello()
        status, body, _ = get(with_letter, path, method="POST")
        told = orjson.loads(body)
        assert (status, told.pop("schema")) == (200, "greenroom.requeued/1")
        (event,) = alice.take("events")["events"]
        assert told == {"event": event["id"], "offset": event["offset"]}
        assert (event["offset"], event["kind"]) == (2, "final_report")
    again, body, _ = get(with_letter, path, method="POST")
    assert again == 404
    assert orjson.loads(body)["error"] == f"{letter.event} is no dead letter"


def test_a_letter_that_is_deleted_is_gone_and_another_id_is_told_from_none(
    with_letter: Server, letter: DeadLetter
) -> None:
    path = f"/admin/dead-letters/{letter.event}"
    status, body, _ = get(with_letter, path, method="DELETE")
    assert (status, orjson.loads(body)["event"]) == (200, letter.event)
    assert get(with_letter, path, method="DELETE")[0] == 404
    status, body, _ = get(with_letter, "/admin/dead-letters/garbage", method="DELETE")
    assert status == 400
    assert orjson.loads(body)["error"].startswith("expected an event id")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_letters_are_settled_with_the_admin_token_and_without_a_proxy_only(
    with_letter: Server, letter: DeadLetter, method: str
) -> None:
    path = f"/admin/dead-letters/{letter.event}"
    for token in (None, "wrong", token_for("alice")):
        assert get(with_letter, path, token, method)[0] == 401
    assert get(with_letter, path, ADMIN, method, Forwarded="for=127.0.0.1")[0] == 403
    (kept,) = with_letter.run(with_letter.runtime.dead_letters.list)
    assert kept == letter


def test_a_letter_stays_when_the_disk_fails_and_is_requeued_when_it_works_again(
    with_letter: Server, letter: DeadLetter, disk: Disk
) -> None:
    disk.errors.append(JournalFull("no room"))
    path = f"/admin/dead-letters/{letter.event}"
    status, body, _ = get(with_letter, path, method="POST")
    assert status == 503
    assert "no room" in orjson.loads(body)["error"]
    assert get(with_letter, path, method="POST")[0] == 200


def test_the_admin_token_shows_in_no_repr() -> None:
    settings = Settings(admin_token=ADMIN)
    door = AdminDoor(None, None, None, Guard(VisitorTokens(ADMIN)))  # type: ignore[arg-type]  # only looked at
    assert ADMIN not in repr(settings) + repr(door)


@pytest.mark.parametrize(
    "asked",
    [
        "users/alice/disconnect?reason=%FF",
        "threads/thr_01arz3ndektsv4rrffq69g5fav?user=alice&title=%FF",
        "runs/run_01arz3ndektsv4rrffq69g5fav?user=alice&say=%FF",
    ],
)
def test_a_value_that_is_not_in_utf8_is_refused_and_not_replaced(asked: str) -> None:
    with serving(admin_token=ADMIN) as server:
        status, body, _ = get(server, f"/admin/{asked}", method="POST")
    assert (status, b"must be in UTF-8" in body) == (400, True)
