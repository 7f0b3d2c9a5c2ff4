"""What an upgrade must bring."""

import pytest
import wsproto

from greenroom.transport.door.upgrade import BadOrigin, Origins, acceptance_of, check_handshake
from greenroom.transport.http.request_head import BadRequest, RequestHead

GOOD = {
    "host": "a.example",
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "greenroom.v1, greenroom.bearer.abc",
}


def head(http_version="1.1", **changes):
    headers = {**GOOD, **{name.replace("_", "-"): value for name, value in changes.items()}}
    pairs = tuple((name, value) for name, value in headers.items() if value is not None)
    return RequestHead("GET", "/live", http_version, headers=pairs)


def status_of(head):
    with pytest.raises(BadRequest) as caught:
        check_handshake(head)
    return caught.value.status


def test_a_good_handshake_passes():
    check_handshake(head())
    check_handshake(head(upgrade="WebSocket", connection="UPGRADE"))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"upgrade": None}, 426),
        ({"upgrade": "h2c"}, 426),
        ({"connection": "keep-alive"}, 426),
        ({"sec_websocket_version": None}, 426),
        ({"sec_websocket_version": "8"}, 426),
        ({"http_version": "1.0"}, 400),
        ({"sec_websocket_key": None}, 400),
        ({"sec_websocket_key": "short=="}, 400),
        ({"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==\n"}, 400),
        ({"sec_websocket_protocol": None}, 400),
        ({"sec_websocket_protocol": "greenroom.v2"}, 400),
    ],
)
def test_a_handshake_that_lacks_something_is_refused(changes, status):
    assert status_of(head(**changes)) == status


def test_the_answer_to_an_upgrade_is_what_a_client_of_rfc_6455_waits_for():
    client = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    upgrade = wsproto.events.Request(host="a", target="/live", subprotocols=["greenroom.v1"])
    lines = client.send(upgrade).decode().split("\r\n")
    (key,) = (line.split(": ")[1] for line in lines if line.lower().startswith("sec-websocket-key"))
    client.receive_data(acceptance_of(head(sec_websocket_key=key, x_odd="\xff")))
    (accepted,) = client.events()
    assert accepted.subprotocol == "greenroom.v1"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("a.example", None),
        ("a.example", "https://a.example"),
        ("a.example", "http://a.example"),
        ("A.example:443", "https://a.example"),
        ("a.example:80", "http://a.example"),
        ("localhost:8700", "http://localhost:8700"),
        ("[::1]:8700", "http://[::1]:8700"),
    ],
)
def test_pages_of_the_host_itself_may_connect(host, origin):
    Origins().check(head(host=host, origin=origin))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("a.example", "https://b.example"),
        ("a.example", "https://a.example.evil.example"),
        ("a.example", "https://a.example:8443"),
        ("localhost:8700", "http://localhost:3000"),
        ("a.example:80", "https://a.example"),
        ("a.example", "null"),
        ("a.example", ""),
        ("null", "null"),
        ("", "https://"),
        ("a.example", "file://a.example"),
    ],
)
def test_pages_of_other_hosts_may_not(host, origin):
    with pytest.raises(BadRequest) as caught:
        Origins().check(head(host=host, origin=origin))
    assert caught.value.status == 403


def test_a_list_of_origins_is_exact():
    origins = Origins(["https://App.example", "http://localhost:3000"])
    origins.check(head(origin="https://app.example"))
    origins.check(head(origin="http://localhost:3000"))
    for origin in ("http://app.example", "https://app.example:8443", "https://b.example"):
        with pytest.raises(BadRequest):
            origins.check(head(origin=origin))


@pytest.mark.fault("P9")
@pytest.mark.parametrize("origin", ["https://a.example", "http://a.example"])
def test_a_list_of_origins_adds_to_the_servers_own_page_behind_tls_or_not(origin):
    Origins(["https://app.example"]).check(head(host="a.example", origin=origin))


def test_a_star_allows_every_page():
    Origins(["*"]).check(head(origin="https://b.example"))


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "app.example",
        "https://",
        "https://a/",
        "https://a/x",
        "https://*.a",
        "https://u@a",
        "//a",
    ],
)
def test_an_entry_that_is_no_origin_is_refused_at_start(origin):
    with pytest.raises(BadOrigin, match="is not an origin"):
        Origins([origin])
