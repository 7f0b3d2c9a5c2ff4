"""nginx and Caddy as docs/deploy.md sets them up, before the own server and before uvicorn."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import fastapi
import pytest
from websockets.exceptions import InvalidStatus

from greenroom import Settings, asgi
from tests.deploy.printed import printed
from tests.deploy.proxies import Site, behind, peer
from tests.protocol.asgi_servers import Watched, serving_by
from tests.protocol.server import ADMIN, serving, token_for
from tests.protocol.without_websocket.events_client import EventsClient

pytestmark = pytest.mark.requirement("R40")

KIB = 1024
VISITOR = "127.0.0.9"
"""An address of this machine that no proxy has."""


def mounted(watched: Watched) -> Callable[..., object]:
    app = fastapi.FastAPI(lifespan=watched)
    app.mount("/chat", asgi.app(proxies=["127.0.0.1"], page=False, routes={"/peer": peer}))
    return app


@contextmanager
def site_of(proxy: str, kind: str, folder: Path) -> Iterator[Site]:
    folder.chmod(0o755)
    if kind == "own":
        serve, prefix = serving, ""
    else:
        serve, prefix = partial(serving_by, "uvloop", make=mounted, proxy_headers=False), "/chat"
    with (
        serve(admin_token=ADMIN, metrics_open=False) as server,
        behind(proxy, server, prefix, folder) as site,
    ):
        yield site


SITES = pytest.mark.parametrize(
    "place",
    [(proxy, kind) for proxy in ("nginx", "caddy") for kind in ("own", "uvicorn")],
    ids=" before ".join,
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with site_of(*request.param, tmp_path_factory.mktemp("proxy")) as site:
        yield site


def get(site: Site, path: str, source: str = VISITOR, **headers: str) -> tuple[int, str]:
    with closing(site.dial(source)) as connection:
        connection.request("GET", site.prefix + path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@SITES
def test_a_conversation_with_a_large_token_and_large_frames_passes_the_proxy(place: Site) -> None:
    size = 5 if place.prefix else 11  # base64 adds a third; uvicorn's `websockets` reads 8 KiB
    token = token_for("alice", more="x" * size * KIB)
    with place.client(token, origin=f"https://127.0.0.1:{place.port}") as client:
        client.hello()
        client.ask("say", id="big", body="x" * 60 * KIB)
        client.events()
        shown = client.story({"shout": 900 * KIB})
    assert len(shown[2]["data"]["text"]) == 900 * KIB


@SITES
def test_a_page_of_another_origin_is_refused_behind_the_proxy(place: Site) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        place.client(token_for("alice"), origin="https://evil.example")


@SITES
def test_events_and_posts_pass_the_proxy_and_no_event_waits_in_it(place: Site) -> None:
    with EventsClient(
        place.port, token=token_for("bob"), dial=place.dial, prefix=place.prefix
    ) as client:
        client.post({"type": "say", "id": "1", "body": "wait"})
        seen = client.events(until="agent_thinking")  # and the stream stays open
        (reply,) = client.post({"type": "cancel", "id": "2", "run": seen[0].data["run"]})
        assert reply["ok"]
        assert client.events(until="agent_completed")


@SITES
def test_a_forwarded_address_counts_if_a_listed_proxy_says_so(place: Site) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9"}
    if place.prefix:
        assert get(place, "/peer", **forged) == (200, f"{VISITOR}\n")
        direct = http.client.HTTPConnection(
            "127.0.0.1", place.server.port, source_address=(VISITOR, 0), timeout=10
        )
        with closing(direct):
            direct.request("GET", "/chat/peer", headers=forged)
            assert direct.getresponse().read().decode() == f"{VISITOR}\n"
    bearer = {"Authorization": f"Bearer {ADMIN}", "X-Forwarded-For": "127.0.0.1"}
    assert get(place, "/admin/tree", "127.0.0.1", **bearer)[0] == 403


@pytest.mark.parametrize("proxy", ["nginx", "caddy"])
@pytest.mark.parametrize("kind", ["own", "uvicorn"])
def test_a_drain_is_seen_through_the_proxy(proxy: str, kind: str, tmp_path: Path) -> None:
    with site_of(proxy, kind, tmp_path) as site, site.client(token_for("carol")) as client:
        client.hello()
        assert get(site, "/readyz")[0] == 200
        site.server.run(site.server.runtime.drain)
        assert client.take("closing")["reconnect"]["after_ms"] > 0
        assert client.closed_with() == 1001
        assert get(site, "/readyz")[0] in (502, 503)


def test_the_proxys_time_outs_exceed_two_heartbeats() -> None:
    waits = re.findall(r"proxy_(?:read|send)_timeout (\d+)s", printed("nginx"))
    assert len(waits) == 2
    assert min(map(int, waits)) > 2 * Settings(secret="s" * 32).heartbeat
