"""Users as the observer lists them, what it tells of one, and the export in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import orjson
import pytest

from greenroom.delivery.events.ids import UserId
from greenroom.observer.users import exports_door
from tests.face.http_get import get
from tests.face.observer.browsing import LOOK
from tests.face.observer.users.accounts import HOSTILE, asked, report
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

pytestmark = [pytest.mark.requirement("R42")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        yield server


def test_users_are_listed_by_how_they_begin_with_what_serves_them(server: Server) -> None:
    for user in ("list-b", "list-a", "list-c", "lost"):
        report(server, user)
    with Client(server.port, token_for("list-zoë")) as tab:
        tab.hello()
        page = asked(server, "users?begins=list-&limit=3", LOOK)
        assert [each["user"] for each in page["users"]] == ["list-a", "list-b", "list-c"]
        assert page["more"]
        (zoë,) = asked(server, "users?begins=list-&after=list-c")["users"]
        assert (zoë["user"], zoë["connections"], zoë["active"]) == ("list-zoë", 1, True)
        (only,) = asked(server, f"users?begins=list-z&active=yes&limit={10**9}")["users"]
        assert only == zoë
    assert asked(server, "users?begins=nobody-at-all") | {"at": 0} == {
        "schema": "greenroom.users/1",
        "at": 0,
        "users": [],
        "more": False,
    }
    assert get(server, "/admin/users?limit=many")[0] == 400


def test_an_account_has_connections_runs_and_sessions_and_no_texts(server: Server) -> None:
    with Client(server.port, token_for("alice")) as tab:
        session = tab.hello()["session"]
        run = report(server, "alice")
        offset = tab.events()[-1]["offset"]
        tab.send("ack", offset=offset)
        tab.fence()
        account = asked(server, "users/alice", LOOK)
        (connection,) = account["connections"]
        assert connection["phase"] == "READY"
        assert connection["standing"]["session"] == session
        assert connection["standing"]["sent"] == offset
        assert [(each["run"], each["ending"]) for each in account["runs"]] == [(run, "ok")]
        assert b"a secret word" not in orjson.dumps(account)
    assert account["banned_until"] is None


def test_titles_of_threads_are_for_those_who_may_act(server: Server) -> None:
    with Client(server.port, token_for("titled")) as tab:
        tab.hello()
        tab.story("a private matter")
    assert asked(server, "users/titled")["threads"][0]["title"] is None
    told = asked(server, "users/titled?texts=yes")
    assert told["threads"][0]["title"] == "a private matter"
    status, body, _ = get(server, "/admin/users/titled?texts=yes", LOOK)
    assert status == 403
    assert b"may not read" in body


def test_a_user_of_whom_nothing_is_known_and_what_is_no_user_are_told_apart(server: Server) -> None:
    status, body, _ = get(server, "/admin/users/never-seen")
    assert status == 404
    assert orjson.loads(body)["error"] == "nothing is known of never-seen"
    assert get(server, "/admin/users/run_01m8hm2m8heknawvtyvaj4vv9x")[0] == 400
    assert get(server, "/admin/users/%ff")[0] == 400


async def _lines(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


def test_the_pieces_of_an_export_are_the_export(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports_door, "ENOUGH", 1_000)
    whose, path = UserId(HOSTILE), f"users/{quote(HOSTILE, safe='')}/export"
    for number in range(30):
        report(server, whose, f"{number} " * 800)
    whole, after, pieces = "", "", 0
    while after is not None:
        answer = asked(server, f"{path}?after={after}" if after else path)
        whole, after, pieces = whole + answer["lines"], answer["after"], pieces + 1
    assert pieces > 1
    assert whole.encode() == server.run(_lines, server.runtime.export_user(whose))


def test_an_export_is_for_those_who_may_act_and_goes_on_only_where_it_was(server: Server) -> None:
    report(server, "exported")
    assert get(server, "/admin/users/exported/export", LOOK)[0] == 403
    assert get(server, "/admin/users/never-seen/export")[0] == 404
    for mark in ("bWFkZSB1cA==", "é", "AAAA" * 30):
        assert get(server, f"/admin/users/exported/export?after={quote(mark)}")[0] == 400
