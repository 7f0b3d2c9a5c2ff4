"""What each role may do: every route of the admin endpoints is tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from greenroom.admin.client import AdminClient, NotAdmitted
from greenroom.delivery.events.ids import UserId
from tests.face.http_get import get
from tests.face.observer.browsing import LOOK, Visitor
from tests.protocol.server import ADMIN, Server, serving

pytestmark = pytest.mark.requirement("R42")

OF_THE_SESSION = {"POST /admin/session", "DELETE /admin/session"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        yield server


def routes_of(server: Server) -> Iterator[tuple[str, str]]:
    """The method and a path of each admin route that changes something."""
    for route in server.runtime.listening._admin_routes():
        method, _, path = route.rpartition(" ")
        if method not in ("", "GET") and route not in OF_THE_SESSION:
            yield method, path.replace("*", "x")


def test_who_may_look_changes_nothing_by_any_route(server: Server) -> None:
    routes = list(routes_of(server))
    assert len(routes) >= 9
    visitor = Visitor(server)
    visitor.sign_in(LOOK)
    for method, path in routes:
        by_cookie = visitor.ask(method, path)
        assert by_cookie.status == 403
        assert by_cookie.json()["error"] == "this token may look and change nothing"
        assert get(server, path, LOOK, method)[0] == 403


def test_a_command_with_a_token_that_may_look_says_which_one_it_needs(server: Server) -> None:
    client = AdminClient(f"http://127.0.0.1:{server.port}", LOOK)
    assert client.tree().id == "greenroom"
    with pytest.raises(NotAdmitted, match="may look and change nothing") as refused:
        client.readmit(UserId("alice"))
    assert "admin_token" in refused.value.advice


def test_who_may_look_sees_what_the_other_sees(server: Server) -> None:
    for path in ("/admin/tree", "/admin/crashes", "/admin/overview", "/metrics"):
        assert get(server, path, LOOK)[0] == get(server, path, ADMIN)[0] == 200


def test_without_a_token_no_route_of_the_admin_endpoints_answers(server: Server) -> None:
    for route in server.runtime.listening._admin_routes():
        method, _, path = route.rpartition(" ")
        if path.startswith("/admin/"):
            assert get(server, path.replace("*", "x"), None, method or "GET")[0] == 401
