"""greenroom below a prefix of somebody's FastAPI app, under uvicorn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Annotated
from urllib.request import Request as Question
from urllib.request import urlopen

import fastapi
import pytest
import trio
from websockets.exceptions import InvalidStatus

from greenroom import asgi
from tests.protocol.asgi_servers import serving_by
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, token_for

PREFIX = "/greenroom"


def chat(watched):
    """A service with routes of its own, which knows its users by a header."""
    app = fastapi.FastAPI(lifespan=watched)

    @app.post("/notify/{user}")
    async def notify(user: str, request: fastapi.Request) -> str:
        async with request.state.greenroom.run(user=user, agent="notifier") as run:
            await run.final_report(report="done")
        return "ok"

    async def user_of(scope) -> str | None:
        headers = dict(scope["headers"])
        if b"x-broken" in headers:
            raise RuntimeError("the session store is down")
        if b"x-refused" in headers:
            raise fastapi.HTTPException(403)
        if b"x-hangs" in headers:
            await asyncio.Event().wait()
        return headers.get(b"x-user", b"").decode() or None

    app.mount(PREFIX, asgi.app())
    app.mount("/own-users", asgi.app(authenticate=user_of, page=False))
    app.state.users = {"7": "dora"}
    app.mount("/by-dependency", asgi.app(authenticate=asgi.depends(by_number, app=app)))
    return app


def number_of(x_number: Annotated[str, fastapi.Header()]) -> Iterator[str]:
    """Is missing in most requests; sync, and yields."""
    if x_number == "none":
        raise fastapi.HTTPException(401)
    yield x_number


async def by_number(
    number: Annotated[str, fastapi.Depends(number_of)], request: fastapi.Request
) -> str | None:
    if number == "broken":
        raise RuntimeError("the list is lost")
    return request.app.state.users.get(number)


@pytest.fixture(scope="module")
def server():
    with serving_by("uvloop", make=chat, admin_token=ADMIN) as server:
        yield server


def answer(server, path, **headers):
    with urlopen(Question(f"http://127.0.0.1:{server.port}{path}", headers=headers)) as got:
        return got.status, got.read().decode(), got.headers


def at(prefix, server, token=None, **headers):
    """A client of the socket below a prefix."""
    uri = f"ws://127.0.0.1:{server.port}{prefix}/live"
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    return Client(server.port, None, uri=uri, additional_headers={**bearer, **headers})


def status_of(prefix, server, **headers):
    with pytest.raises(InvalidStatus) as refused, at(prefix, server, **headers):
        pass
    return refused.value.response.status_code


@pytest.mark.requirement("R40")
def test_a_route_of_the_service_speaks_to_whoever_is_connected_below_the_prefix(server):
    with at(PREFIX, server, token_for("alice")) as client:
        client.hello()
        url = f"http://127.0.0.1:{server.port}/notify/alice"
        with urlopen(Question(url, method="POST")) as got:
            assert json.load(got) == "ok"
        kinds = [event["kind"] for event in client.events()]
    assert kinds == ["agent_started", "final_report", "agent_completed"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/", "/client.js"])
def test_the_paths_of_the_own_server_are_below_the_prefix(server, path):
    assert answer(server, PREFIX + path)[0] == 200


def test_the_admin_paths_are_below_the_prefix(server):
    status, body, _ = answer(server, f"{PREFIX}/admin/tree", Authorization=f"Bearer {ADMIN}")
    assert (status, json.loads(body)["tree"]["path"]) == (200, "greenroom")


def test_the_page_can_be_left_out(server):
    with pytest.raises(OSError, match="404"):
        answer(server, "/own-users/client.js")


@pytest.mark.parametrize("forwarded", [{}, {"X-Forwarded-For": "127.0.0.1"}])
def test_a_proxy_that_is_not_listed_makes_no_visitor_one_of_this_machine(server, forwarded):
    asked = {"Authorization": f"Bearer {ADMIN}", "Host": "127.0.0.1", **forwarded}
    if forwarded:
        with pytest.raises(OSError, match="403"):
            answer(server, f"{PREFIX}/admin/tree", **asked)
    else:
        assert answer(server, f"{PREFIX}/admin/tree", **asked)[0] == 200


@pytest.mark.requirement("R40")
def test_the_services_own_authentication_says_whose_a_socket_is(server):
    with at("/own-users", server, **{"X-User": "carol"}) as client:
        assert client.hello()["user"] == "carol"
    whoami = answer(server, "/own-users/whoami", **{"X-User": "carol"})[1]
    assert json.loads(whoami)["user"] == "carol"


def test_a_token_does_not_count_where_the_service_knows_its_users(server):
    assert status_of("/own-users", server, token=token_for("alice")) == 401


def test_an_exception_of_fastapi_that_refuses_a_user_refuses_the_socket(server):
    assert status_of("/own-users", server, **{"X-Refused": "yes"}) == 401


def test_a_failure_of_the_services_authentication_is_not_the_clients_fault(server, crashes):
    crashes.append("a token could not be checked")
    assert status_of("/own-users", server, **{"X-Broken": "yes"}) == 503


@pytest.mark.parametrize("kind", ["asyncio", "anycorn"])
def test_an_authentication_that_hangs_is_cut_with_the_handshake(kind, crashes, caplog):
    crashes.append("a token could not be checked")
    hangs = {"X-Hangs": "yes"}
    make = hanging if kind == "anycorn" else chat
    with serving_by(kind, make=make, accept_deadline=0.3) as server:
        assert status_of("/own-users", server, **hangs) == 503
        with pytest.raises(OSError, match="503"):
            answer(server, "/own-users/whoami", **hangs)
    assert "`authenticate` took longer than 0.3 s" in caplog.text


def test_a_dependency_of_fastapi_says_whose_a_request_is(server, crashes):
    with at("/by-dependency", server, **{"X-Number": "7"}) as client:
        assert client.hello()["user"] == "dora"
    status, body, _ = answer(server, "/by-dependency/whoami", **{"X-Number": "7"})
    assert (status, "dora" in body) == (200, True)
    for headers in ({}, {"X-Number": "none"}, {"X-Number": "8"}):
        assert status_of("/by-dependency", server, **headers) == 401
    crashes.append("a token could not be checked")
    assert status_of("/by-dependency", server, **{"X-Number": "broken"}) == 503


def hanging(watched):
    """On trio."""

    async def user_of(scope) -> str:
        await trio.sleep_forever()

    app = fastapi.FastAPI(lifespan=watched)
    app.mount("/own-users", asgi.app(authenticate=user_of))
    return app


def test_uvicorn_may_have_its_websockets_from_wsproto():
    with serving_by("asyncio+wsproto", make=chat) as server:
        with at(PREFIX, server, token_for("alice")) as client:
            assert client.hello()["user"] == "alice"
        with at("/own-users", server, **{"X-User": "carol"}) as client:
            assert client.hello()["user"] == "carol"


def test_a_page_of_another_origin_may_not_connect(server):
    assert status_of(PREFIX, server, token=token_for("alice"), Origin="https://evil.example") == 403


def test_an_upgrade_is_refused_with_a_sentence(server):
    with pytest.raises(InvalidStatus) as refused, at(PREFIX, server):
        pass
    response = refused.value.response
    assert (response.status_code, response.body) == (401, b"A token is needed.\n")


def test_a_request_before_the_lifespan_has_started_is_refused_and_the_log_says_why(crashes, caplog):
    crashes.append("a request came before the lifespan")

    def without_lifespan(watched):
        app = fastapi.FastAPI(lifespan=watched)
        app.mount(PREFIX, _Bare())
        return app

    serve = serving_by("asyncio", make=without_lifespan)
    with serve as server, pytest.raises(OSError, match="503"):
        answer(server, f"{PREFIX}/livez")
    assert "lifespan=greenroom.asgi.lifespan(…)" in caplog.text


class _Bare:
    """An app whose server keeps no state of a lifespan."""

    def __init__(self):
        self._app = asgi.app()

    async def __call__(self, scope, receive, send):
        await self._app({k: v for k, v in scope.items() if k != "state"}, receive, send)
