"""The observer's files: where they are, who gets them, and what a browser may do with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import fastapi
import pytest

from greenroom import asgi
from tests.face.http_get import get
from tests.face.observer.browsing import LOOK, Visitor
from tests.protocol.asgi_servers import Watched, serving_by
from tests.protocol.server import ADMIN, Server, serving

pytestmark = pytest.mark.requirement("R42")

FILES = ["", "index.html", "app.js", "kit.js", "overview.js", "style.css", "favicon.svg"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(look_token=LOOK) as server:
        yield server


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_shown_on_this_machine_and_in_no_frame(server: Server, name: str) -> None:
    status, _, headers = get(server, f"/observer/{name}", None)
    assert status == 200
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert get(server, f"/observer/{name}", None, **{"X-Forwarded-For": "10.0.0.1"})[0] == 403


def test_the_address_without_its_slash_leads_to_the_page_wherever_it_is(server: Server) -> None:
    status, _, headers = get(server, "/observer", None)
    assert (status, headers["location"]) == (308, "observer/")


def test_without_a_token_in_the_settings_there_is_no_observer() -> None:
    with serving() as server:
        for path in ("/observer", "/observer/", "/observer/app.js", "/admin/session"):
            assert get(server, path, None)[:2] == get(server, "/nowhere", None)[:2]


def mounted(watched: Watched) -> Callable[..., object]:
    app = fastapi.FastAPI(lifespan=watched)
    app.mount("/chat", asgi.app())
    return app


def test_below_a_prefix_of_fastapi_the_page_and_its_session_are_the_same() -> None:
    with serving_by("uvloop", make=mounted, admin_token=ADMIN) as server:
        visitor = Visitor(server, "/chat", origin=f"http://127.0.0.1:{server.port}")
        assert visitor.ask("GET", "/observer").headers["location"] == "observer/"
        assert b"greenroom observer" in visitor.ask("GET", "/observer/").body
        assert visitor.sign_in().status == 200
        assert visitor.ask("GET", "/admin/overview").status == 200
        assert visitor.ask("DELETE", "/admin/session").status == 200
        assert visitor.ask("GET", "/admin/overview").status == 401
