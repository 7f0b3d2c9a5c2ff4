"""Sessions of the observer: who gets in, what a stolen cookie is worth, and when they end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from greenroom.admin.sessions import LIFETIME, VisitorSessions
from greenroom.transport.auth.tokens import sign_token
from greenroom.visitors import Role
from tests.face.observer.browsing import LOOK, Visitor
from tests.protocol.server import ADMIN, SECRET, Server, serving

pytestmark = pytest.mark.requirement("R42")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        yield server


@pytest.mark.parametrize(("token", "role"), [(ADMIN, "act"), (LOOK, "look")])
def test_a_token_opens_a_session_whose_cookie_alone_shows_what_the_token_shows(
    server: Server, token: str, role: str
) -> None:
    visitor = Visitor(server)
    said = visitor.sign_in(token)
    assert (said.status, said.json()["schema"], said.json()["role"]) == (
        200,
        "greenroom.session/1",
        role,
    )
    assert visitor.ask("GET", "/admin/session").json() == said.json()
    assert visitor.ask("GET", "/admin/tree").status == 200
    name, *attributes = said.headers["set-cookie"].split("; ")
    assert name.startswith(f"greenroom_observer_{server.port}=")
    assert attributes == ["Max-Age=28800", "HttpOnly", "SameSite=Strict"]
    assert token not in str(said)


def test_the_cookie_is_for_https_alone_when_the_page_came_by_https(server: Server) -> None:
    origin = f"https://127.0.0.1:{server.port}"
    said = Visitor(server, origin=origin).sign_in()
    assert said.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("token", ["", "wrong", ADMIN[:-1], sign_token(SECRET, "alice", 60)])
def test_no_other_token_opens_one(server: Server, token: str) -> None:
    said = Visitor(server).sign_in(token)
    assert said.status == 401
    assert "set-cookie" not in said.headers


@pytest.mark.parametrize("cookie", ["", "greenroom_observer={key}", "greenroom_observer_{port}=x"])
def test_without_the_cookie_of_a_session_there_is_nothing(server: Server, cookie: str) -> None:
    visitor = Visitor(server)
    visitor.sign_in()
    key = visitor.cookie.partition("=")[2]
    visitor.cookie = cookie.format(key=key, port=server.port)
    for path in ("/admin/session", "/admin/tree", "/admin/overview"):
        assert visitor.ask("GET", path).status == 401


@pytest.mark.parametrize("csrf", ["", "wrong"])
def test_another_sites_page_changes_nothing_with_the_cookie_that_the_browser_sends_along(
    server: Server, csrf: str
) -> None:
    visitor = Visitor(server)
    visitor.sign_in()
    secret, visitor.csrf = visitor.csrf, csrf
    assert visitor.ask("DELETE", "/admin/users/alice/disconnect").status == 403
    assert visitor.ask("DELETE", "/admin/session").status == 403
    visitor.csrf, visitor.origin = secret, "https://evil.example"
    assert visitor.ask("DELETE", "/admin/users/alice/disconnect").status == 403
    assert visitor.ask("GET", "/admin/tree").status == 403
    visitor.origin = f"http://127.0.0.1:{server.port}"
    assert visitor.ask("DELETE", "/admin/users/alice/disconnect").status == 200


def test_another_sites_page_signs_no_one_in(server: Server) -> None:
    assert Visitor(server, origin="https://evil.example").sign_in().status == 403


def test_a_session_ends_with_signing_out(server: Server) -> None:
    visitor = Visitor(server)
    visitor.sign_in(LOOK)
    said = visitor.ask("DELETE", "/admin/session")
    assert said.status == 200
    assert "Max-Age=0" in said.headers["set-cookie"]
    assert visitor.ask("GET", "/admin/tree").status == 401


def test_who_signs_in_once_more_has_one_session(server: Server) -> None:
    visitor = Visitor(server)
    visitor.sign_in(ADMIN)
    first = visitor.cookie
    visitor.sign_in(LOOK)
    assert visitor.ask("GET", "/admin/session").json()["role"] == "look"
    assert visitor.ask("GET", "/admin/session", Cookie=first).status == 401


def test_sessions_that_look_never_end_one_that_acts() -> None:
    sessions = VisitorSessions(limit=2)
    key, session = sessions.open(Role.ACT)
    for _ in range(3):
        sessions.open(Role.LOOK)
    assert sessions.find(key) == session


def test_a_session_expires_and_the_oldest_gives_way_to_one_too_many() -> None:
    now = 0.0
    sessions = VisitorSessions(lambda: now, limit=2)
    first, second, third = (sessions.open(Role.LOOK)[0] for _ in range(3))
    assert [sessions.find(key) is None for key in (first, second, third)] == [True, False, False]
    now = LIFETIME - 1
    fourth, session = sessions.open(Role.ACT)
    assert sessions.find(third) is not None
    now = LIFETIME
    assert sessions.find(third) is None
    assert sessions.find(fourth) == session
    assert session.csrf not in repr(session)
