"""The front door over real sockets, with a real WebSocket client."""

import base64
import http.client
import json
import logging
import time
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import wsproto
from trio.testing import memory_stream_pair
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from greenroom.transport.auth.tokens import Identity, JwtAuthenticator, sign_token
from greenroom.transport.door.front_door import FrontDoor, Upgrade
from greenroom.transport.door.half_open import HalfOpen
from greenroom.transport.door.paths import Readiness
from greenroom.transport.door.static_pages import StaticPage, load_pages, with_body_data
from greenroom.transport.http.request_head import TOO_LARGE
from greenroom.transport.http.responses import Response

SECRET = "a secret of more than thirty-two bytes"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TOKEN = sign_token(SECRET, "alice", 3600)


def front_door(**settings):
    return FrontDoor(authenticator=JwtAuthenticator.from_secret(SECRET), **settings)


class Echo:
    """Says everything back."""

    def __init__(self, socket):
        self._socket = socket

    async def hear(self, message):
        self._socket.send_text(message.encode())

    def ended(self, *, flooded):
        assert not flooded


async def echo(upgrade: Upgrade) -> None:
    """What a server does with an upgrade: the answer, then frames until the socket closes."""
    socket = upgrade.socket(max_bytes=10_000, allow=lambda: True)
    async with trio.open_nursery() as nursery:
        await socket.open(nursery)
        socket.send_text(f"hello {upgrade.identity.user}".encode())
        await socket.read(Echo(socket))


@asynccontextmanager
async def serving(door):
    """Serve a door on a free port; gives the port."""
    half_open = HalfOpen()

    async def handle(stream):
        upgrade = None
        with half_open.handshake():
            upgrade = await door.admit(stream)
        if upgrade is not None:
            await echo(upgrade)
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, handle, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def fetch(port, path, method="GET", headers=None, body=None):
    """Status, headers and body, by the standard library's client."""

    def blocking():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, path, headers=headers or {}, body=body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    return await trio.to_thread.run_sync(blocking)


async def talk(
    port,
    *,
    token=TOKEN,
    message="hi",
    subprotocols=("greenroom.v1",),
    additional_headers=None,
    **options,
):
    """Connect with the `websockets` client; the first two messages it gets."""

    def blocking():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with connect(
            f"ws://127.0.0.1:{port}/live",
            subprotocols=list(subprotocols),
            additional_headers={**headers, **(additional_headers or {})},
            proxy=None,
            **options,
        ) as socket:
            socket.send(message)
            return socket.subprotocol, socket.recv(timeout=30), socket.recv(timeout=5)

    return await trio.to_thread.run_sync(blocking)


async def refusal(port, **options):
    with pytest.raises(InvalidStatus) as caught:
        await talk(port, **options)
    response = caught.value.response
    return response.status_code, response.body.decode(), response.headers


async def raw(port, data):
    """Send bytes, read everything there is to read."""
    answer = b""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(data)
        async for chunk in stream:
            answer += chunk
    return answer


def upgrade_request(*extra, path="/live", token=TOKEN):
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Protocol: greenroom.v1",
        f"Authorization: Bearer {token}",
        *extra,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.mark.requirement("R37")
async def test_a_real_client_with_a_real_token_gets_a_socket():
    async with serving(front_door()) as port:
        assert await talk(port) == ("greenroom.v1", "hello alice", "hi")


async def test_a_browser_brings_its_token_as_a_subprotocol():
    packed = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    offered = ["greenroom.v1", f"greenroom.bearer.{packed}"]
    async with serving(front_door()) as port:
        answer = await talk(port, token=None, subprotocols=offered)
        assert answer == ("greenroom.v1", "hello alice", "hi")


async def test_frames_sent_right_behind_the_head_are_not_lost():
    client = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    frames = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)
    early = b"".join(frames.send(wsproto.events.TextMessage(f"early {n}")) for n in range(3))
    async with (
        serving(front_door()) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        client.send(wsproto.events.Request(host="x", target="/live"))
        await stream.send_all(upgrade_request() + early)
        received = b""
        with trio.fail_after(30):
            while b"early 2" not in received:
                received += await stream.receive_some()
    head, _, after = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    assert [after.count(b"early %d" % n) for n in range(3)] == [1, 1, 1]


async def test_headers_that_would_crash_the_websocket_layer_do_not():
    odd = ["Sec-WebSocket-Extensions: \xff", "X-Name: J\xfcrgen", "Cookie: \xe4"]
    async with (
        serving(front_door()) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        request = upgrade_request(*odd).replace(b"127.0.0.1", b"xn--a")
        await stream.send_all(request)
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        ({"token": None}, 401, "A token is needed."),
        ({"token": "a.b.c"}, 401, "the token is malformed"),
        ({"token": sign_token(SECRET, "alice", 1, now=time.time() - 60)}, 401, "expired"),
        ({"token": sign_token(SECRET + "!", "alice", 60)}, 401, "signature"),
        ({"subprotocols": ["greenroom.v2"]}, 400, "greenroom.v1"),
        ({"origin": "https://evil.example"}, 403, "origin"),
    ],
)
async def test_a_stranger_gets_an_http_answer_and_never_a_socket(options, status, sentence):
    async with serving(front_door()) as port:
        answered, body, headers = await refusal(port, **options)
        assert (answered, sentence in body) == (status, True)
        assert ("WWW-Authenticate" in headers) == (status == 401)


async def test_whoever_has_a_token_can_ask_whose_it_is():
    async with serving(front_door()) as port:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        status, _, body = await fetch(port, "/whoami", headers=bearer)
        assert (status, json.loads(body)["user"]) == (200, "alice")
        bad = {"Authorization": "Bearer not.a.token"}
        assert (await fetch(port, "/whoami", headers=bad))[0] == 401
        assert (await fetch(port, "/whoami"))[0] == 401


async def test_while_draining_nobody_new_is_admitted():
    door = front_door(ready=lambda: Readiness(False, "draining"))
    async with serving(door) as port:
        status, body, headers = await refusal(port)
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "draining" in body
        assert (await fetch(port, "/readyz"))[::2] == (503, b"not ready: draining\n")
        assert (await fetch(port, "/livez"))[::2] == (200, b"alive\n")


async def test_the_logs_show_neither_token_nor_query(caplog):
    caplog.set_level(logging.DEBUG, "greenroom")
    bad = sign_token(SECRET + "!", "alice", 60)
    async with serving(front_door()) as port:
        await raw(port, upgrade_request(path="/live?secret=1", token=bad))
        await raw(port, upgrade_request(path="/nothing?secret=1", token=bad))
    assert caplog.messages == [
        "GET /live: 401 Not admitted: the token's signature does not match.",
        "GET of an unknown path: 404 There is nothing here.",
    ]


HOST = "Host: a\r\n"
HEADS_WITH_A_TOKEN = {
    "a space before the colon": f"GET /whoami HTTP/1.1\r\n{HOST}Authorization : Bearer TOKEN\r\n",
    "the name of a header": f"GET / HTTP/1.1\r\n{HOST}TOKEN: 1\r\n",
    "a line without colon": f"GET / HTTP/1.1\r\n{HOST}Authorization Bearer TOKEN\r\n",
    "a folded line": f"GET / HTTP/1.1\r\n{HOST}X: 1\r\n Bearer TOKEN\x00\r\n",
    "a zero byte": f"GET / HTTP/1.1\r\n{HOST}Cookie: TOKEN\x00\r\n",
    "a path": f"GET /TOKEN HTTP/1.1\r\n{HOST}",
    "below /live": f"GET /live/TOKEN HTTP/1.1\r\n{HOST}",
    "a parameter of the path": f"GET /live;TOKEN HTTP/1.1\r\n{HOST}",
    "a query": f"GET /live?access_token=TOKEN HTTP/1.1\r\n{HOST}",
    "a URL": f"GET ftp://TOKEN@a/ HTTP/1.1\r\n{HOST}",
    "a URL with a port that is none": f"GET http://a:TOKEN/ HTTP/1.1\r\n{HOST}",
    "a method": f"TOKEN / HTTP/1.1\r\n{HOST}",
    "a version": f"GET / HTTP/TOKEN\r\n{HOST}",
    "a path that is no path": f"GET TOKEN HTTP/1.1\r\n{HOST}",
    "no request at all": "TOKEN\r\n",
    "two tokens": f"GET /whoami HTTP/1.1\r\n{HOST}Authorization: Bearer TOKEN\r\n" * 2,
    "a token that is none": f"GET /whoami HTTP/1.1\r\n{HOST}Authorization: Bearer TOKEN.\r\n",
    "no base64": f"GET /whoami HTTP/1.1\r\n{HOST}"
    "Sec-WebSocket-Protocol: greenroom.bearer.TOKEN\r\n",
    "a body's length": f"GET / HTTP/1.1\r\n{HOST}Content-Length: TOKEN\r\n",
    "an encoding": f"GET / HTTP/1.1\r\n{HOST}Transfer-Encoding: TOKEN\r\n",
    "an origin": f"GET /live HTTP/1.1\r\n{HOST}Origin: TOKEN\r\n",
    "a child of a known path": f"GET /a/TOKEN HTTP/1.1\r\n{HOST}",
}


@pytest.mark.fault("P2")
@pytest.mark.parametrize("text", HEADS_WITH_A_TOKEN.values(), ids=HEADS_WITH_A_TOKEN)
async def test_no_part_of_a_head_is_repeated_in_the_answer_or_in_the_log(text, caplog):
    caplog.set_level(logging.DEBUG, "greenroom")

    async def broken(_):
        raise ZeroDivisionError

    async with serving(front_door(routes={"/a/*": broken})) as port:
        for secret in (TOKEN, TOKEN[::-1]):
            head = f"{text.replace('TOKEN', secret)}\r\n".encode("latin-1")
            answer = await raw(port, head)
            assert answer.startswith(b"HTTP/1.1 ")
            for piece in secret.split("."):
                assert piece.encode() not in answer
                assert piece not in caplog.text
                assert piece.lower() not in caplog.text
    assert caplog.messages


@pytest.mark.fault("P10")
@pytest.mark.parametrize("cookies", [0, 5_000, 10_000])
@pytest.mark.parametrize("size", [9_000, 16_000])
async def test_a_large_token_beside_large_cookies_is_let_in(size, cookies):
    token = sign_token(SECRET, "alice", 3600, groups="g" * (size * 3 // 4))
    packed = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    head = upgrade_request(f"Cookie: {'c' * cookies}", f"X-Padding: {'p' * 500}").replace(
        f"greenroom.v1\r\nAuthorization: Bearer {TOKEN}".encode(),
        f"greenroom.v1, greenroom.bearer.{packed}".encode(),
    )
    async with (
        serving(front_door()) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        await stream.send_all(head)
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.fault("P10")
async def test_whoever_whoami_lets_in_gets_in_and_others_are_told_in_words():
    """At sizes on both sides of each limit; the page shows the answer of /whoami."""
    packed = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    refused = []
    async with serving(front_door()) as port:
        for cookies in range(30_000, 33_500, 250):
            cookie = {"Cookie": "c" * cookies}
            whoami = {"Authorization": f"Bearer {TOKEN}", **cookie}
            status, _, body = await fetch(port, "/whoami", headers=whoami)
            if status == 200:
                offered = ["greenroom.v1", f"greenroom.bearer.{packed}"]
                answer = await talk(
                    port, token=None, subprotocols=offered, additional_headers=cookie
                )
                assert answer[1] == "hello alice"
            else:
                refused.append((status, body))
        long = {"Authorization": f"Bearer {'t' * 17_000}"}
        status, _, body = await fetch(port, "/whoami", headers=long)
        assert (status, b"17000 characters" in body) == (401, True)
    assert {*refused} == {(431, f"{TOO_LARGE}\n".encode())}


class Failing:
    """An authenticator that asks somebody who does not answer."""

    async def authenticate(self, token):
        raise OSError("no route to the identity provider")


class Untyped:
    """An authenticator that answers as no type checker would let it."""

    def __init__(self, answer):
        self.answer = answer

    async def authenticate(self, token):
        return self.answer()


class Plain:
    """An authenticator that is not async, and fails."""

    def authenticate(self, token):
        raise OSError("no route to the identity provider")


@pytest.mark.fault("P5")
@pytest.mark.parametrize(
    "failing",
    [
        Failing(),
        Plain(),
        Untyped(lambda: None),
        Untyped(lambda: "alice"),
        Untyped(partial(Identity, 7)),
    ],
)
async def test_an_authenticator_that_fails_is_not_the_clients_fault(caplog, failing):
    async with serving(FrontDoor(authenticator=failing)) as port:
        answered, body, headers = await refusal(port)
    assert (answered, headers["Retry-After"]) == (503, "1")
    assert body == "The server cannot check tokens now.\n"
    assert "a token could not be checked" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("GET", "/live/", 404, None),
        ("GET", "/../etc/passwd", 404, None),
        ("POST", "/livez", 405, "GET, HEAD"),
        ("POST", "/live", 405, "GET"),
        ("GET", "/live", 426, None),
        ("GET", "/readyz", 200, None),
    ],
)
async def test_every_request_gets_its_status(method, path, status, allow):
    async with serving(front_door()) as port:
        answered, headers, body = await fetch(port, path, method)
        assert (answered, headers.get("Allow")) == (status, allow)
        assert headers["Connection"] == "close"
        assert headers["Content-Type"].startswith("text/plain")
        assert body.count(b"\n") == 1


async def test_a_body_is_refused_unread_and_the_answer_arrives():
    async with serving(front_door()) as port:
        status, _, answer = await fetch(port, "/livez", "POST", body=b"x" * 200_000)
        assert status == 413
        assert b"body" in answer


async def test_an_answer_survives_what_the_peer_had_already_sent():
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with listener, await trio.open_tcp_stream("127.0.0.1", port) as client:
        server = await listener.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(front_door().admit, server)
            await client.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
            await client.send_all(b"x" * 100_000)
            await client.send_eof()
        assert (await client.receive_some()).startswith(b"HTTP/1.1 413 ")


async def test_what_is_not_http_gets_400():
    async with serving(front_door()) as port:
        assert (await raw(port, b"\x16\x03\x01\x00\xa5\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_a_head_without_end_gets_431():
    async with serving(front_door()) as port:
        answer = await raw(port, b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 8000)
        assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """A package with pages, found the way the real ones are."""
    folder = tmp_path / "some_pages" / "page"
    (folder / "img").mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "console.js").write_text("1")
    (folder / "img" / "dot.svg").write_text("<svg/>")
    (folder / "notes.bak").write_text("private")
    monkeypatch.syspath_prepend(tmp_path)
    return load_pages("some_pages")


async def test_pages_come_with_their_type_and_a_strict_policy(pages):
    async with serving(front_door(pages=pages)) as port:
        for path, kind in [
            ("/", "text/html; charset=utf-8"),
            ("/index.html", "text/html; charset=utf-8"),
            ("/console.js", "text/javascript; charset=utf-8"),
            ("/img/dot.svg", "image/svg+xml"),
        ]:
            status, headers, _ = await fetch(port, path)
            assert (status, headers["Content-Type"]) == (200, kind)
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] == "no-cache"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
        assert (await fetch(port, "/notes.bak"))[0] == 404


async def test_a_page_that_is_had_is_not_sent_again(pages):
    async with serving(front_door(pages=pages)) as port:
        _, headers, body = await fetch(port, "/")
        assert body == b"<!doctype html>"
        again = await fetch(port, "/", headers={"If-None-Match": f"W/{headers['ETag']}"})
        assert (again[0], again[2]) == (304, b"")
        assert (await fetch(port, "/", headers={"If-None-Match": '"old"'}))[0] == 200


async def test_head_is_get_without_the_body(pages):
    async with serving(front_door(pages=pages)) as port:
        status, headers, body = await fetch(port, "/", "HEAD")
        assert (status, headers["Content-Length"], body) == (200, "15", b"")


async def test_a_page_whose_body_says_more_is_another_page():
    page = with_body_data(StaticPage(b"<body>", "text/html", '"old"'), {"takes": '"text"'})
    assert page.body == b'<body data-takes="&quot;text&quot;">'
    assert page.etag != '"old"'


async def test_a_missing_folder_of_pages_is_no_pages():
    assert load_pages(folder="no such folder") == {}


async def test_a_caller_may_add_routes_and_a_failing_one_is_a_500(caplog):
    async def demo_token(_):
        return Response(200, b'{"token":"t"}', "application/json")

    async def broken(_):
        raise ZeroDivisionError

    routes = {"/demo/token": demo_token, "/broken": broken}
    async with serving(front_door(routes=routes)) as port:
        status, headers, body = await fetch(port, "/demo/token")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert (headers["Cache-Control"], body) == ("no-store", b'{"token":"t"}')
        assert (await fetch(port, "/broken"))[0] == 500
        assert "the handler of /broken failed" in caplog.text
        assert (await fetch(port, "/livez"))[0] == 200


async def test_a_route_may_name_a_method_and_others_are_told_which_there_are():
    async def shown(_):
        return Response(200, b"shown")

    async def gone(head):
        return Response(200, f"{head.path} is gone".encode())

    async with serving(front_door(routes={"/a/*": shown, "DELETE /a/*": gone})) as port:
        assert (await fetch(port, "/a/b"))[2] == b"shown"
        assert (await fetch(port, "/a/b", "DELETE"))[2] == b"/a/b is gone"
        status, headers, _ = await fetch(port, "/a/b", "POST")
        assert (status, headers["Allow"]) == (405, "GET, HEAD, DELETE")


async def test_a_peer_that_leaves_early_is_no_error():
    async with serving(front_door()) as port:
        for part in (b"", b"GET / HT"):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(part)
            await stream.aclose()
        assert (await fetch(port, "/livez"))[0] == 200


async def test_a_head_that_trickles_in_is_cut_off_at_the_deadline(autojump_clock):
    client, server = memory_stream_pair()
    half_open = HalfOpen()

    async def trickle():
        while True:
            await client.send_all(b"x")
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trickle)
        with half_open.handshake(10) as scope:
            await front_door().admit(server)
        assert scope.cancelled_caught
        assert trio.current_time() < 11
        nursery.cancel_scope.cancel()


async def test_a_peer_that_never_closes_is_closed_after_a_second(autojump_clock):
    client, server = memory_stream_pair()
    await client.send_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
    with trio.fail_after(2):
        assert await front_door().admit(server) is None
    assert (await client.receive_some()).startswith(b"HTTP/1.1 200 OK\r\n")
