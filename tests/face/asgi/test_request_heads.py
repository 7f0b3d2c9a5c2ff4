"""What a scope says: the path below the mount, and who asks."""

from __future__ import annotations

import pytest

from greenroom.asgi import BadProxy
from greenroom.asgi.request_heads import Proxies, head_of, path_of
from greenroom.transport.http.request_head import BadRequest

BEHIND = [(b"x-forwarded-for", b"203.0.113.9, 10.0.0.2"), (b"x-forwarded-host", b"app.example")]


def scope(path="/live", root="", raw=None, headers=(), peer="10.0.0.1"):
    found = {"type": "http", "method": "GET", "path": path, "root_path": root, "headers": headers}
    return {**found, "client": (peer, 1), **({} if raw is None else {"raw_path": raw})}


@pytest.mark.parametrize(
    ("path", "root", "raw", "expected"),
    [
        ("/live", "", None, "/live"),
        ("/chat/live", "/chat", None, "/live"),
        ("/chat", "/chat", None, "/"),
        ("/chat/live", "/chat/", None, "/live"),
        ("/chatter/live", "/chat", None, "/chatter/live"),
        ("/chat/admin/users/a/b", "/chat", b"/chat/admin/users/a%2Fb", "/admin/users/a%2Fb"),
        ("/chat/a b", "/chat", None, "/a%20b"),
        ("/live", "/chat", b"/live", "/live"),
    ],
)
def test_the_path_is_the_one_below_the_mount(path, root, raw, expected):
    assert path_of(scope(path, root, raw)) == expected


def test_forwarded_headers_of_a_listed_peer_say_who_asks_and_what_for():
    head = Proxies(["10.0.0.0/8"]).seen_through(head_of(scope(headers=BEHIND)))
    assert (head.peer, head.one("host")) == ("203.0.113.9", "app.example")


def test_forwarded_headers_of_any_other_peer_are_just_headers():
    head = Proxies(["192.0.2.1"]).seen_through(head_of(scope(headers=BEHIND)))
    assert (head.peer, head.one("host")) == ("10.0.0.1", None)


def test_an_entry_that_is_no_address_is_refused():
    with pytest.raises(BadProxy, match=r"proxy\.example"):
        Proxies(["proxy.example"])


@pytest.mark.parametrize("headers", [[(b"x", b"y")] * 101, [(b"x", b"y" * 40_000)]])
def test_a_head_that_the_own_server_would_not_read_is_refused(headers):
    with pytest.raises(BadRequest) as refused:
        head_of(scope(headers=headers))
    assert refused.value.status == 431
