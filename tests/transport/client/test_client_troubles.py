"""What the Python client makes of tokens, limits and ways that are not as they should be."""

import logging
import socket

import pytest
import trio
from trio.testing import MockClock

from greenroom.testing import open_slow_link
from greenroom.transport.client.client import StartedRun
from greenroom.transport.client.frames import BadMessage
from greenroom.transport.client.handshake import CannotConnect, Refused
from greenroom.transport.client.socket import BadUrl
from tests.transport.certificates import self_signed
from tests.transport.client.scripted_server import (
    RUN,
    THREAD,
    TOKEN,
    expired_token,
    join,
    server,
    take,
)

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nPlease..."
ENDLESS_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Sign in"
ELSEWHERE = (
    b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://b.example/\r\nContent-Length: 0\r\n\r\n"
)

NOW = "Date: Sat, 28 Nov 2026 19:00:00 GMT\r\n"


@pytest.fixture
def slow_clock():
    """Jumps only when sockets have been still for a moment: the kernel has a clock of its own."""
    return MockClock(autojump_threshold=0.02)


async def welcome(peer):
    await peer.welcome()


async def answer(peer, *, among=()):
    """Answer the next `say`; the frames of these types before it."""
    heard = []
    while (frame := await peer.next())["type"] != "say":
        heard += [frame] * (frame["type"] in among)
    await peer.send("reply", id=frame["id"], ok=True, run=RUN, thread=THREAD)
    return heard


# Tokens


@pytest.mark.fault("C1")
@pytest.mark.parametrize("trouble", ["it fails", "it gives an old one", "it gives none"])
async def test_a_token_function_that_is_no_good_once_is_asked_again(trouble, caplog):
    asked = []

    async def token():
        asked.append(trouble)
        if len(asked) > 1:
            return TOKEN
        if trouble == "it fails":
            raise OSError("the vault is away")
        return expired_token("alice") if trouble == "it gives an old one" else None

    scripts = [welcome] * (1 + (trouble == "it gives an old one"))
    async with server(*scripts) as url, join(url, token=token) as client:
        assert client.user == "alice"
    assert len(asked) == 2
    (warning,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    told = {"it fails": "vault is away", "it gives an old one": "expired", "it gives none": "None"}
    assert told[trouble] in warning.getMessage()


@pytest.mark.fault("C1")
async def test_a_token_function_whose_tokens_are_always_refused_is_not_asked_for_ever():
    asked = []

    async def token():
        asked.append(1)
        return expired_token("alice")

    async with server(*[welcome] * 6) as url:
        with pytest.raises(Refused, match="401"):
            async with join(url, token=token):
                pass
        assert len(asked) == 5
        async with join(url):
            pass


@pytest.mark.fault("C1")
async def test_the_live_socket_lives_on_until_the_token_function_gives_a_newer_one(autojump_clock):
    """It fails, gives an old token, one that the server refuses, and then a good one."""
    tokens, refreshed, readies = ["first", None, "first", "refused", "new"], [], []

    async def token():
        given = tokens.pop(0)
        if given is None:
            raise OSError("the vault is away")
        return TOKEN if given == "first" and not refreshed and len(tokens) == 4 else given

    async def script(peer):
        start = trio.current_time()
        await peer.welcome(expires=round((start + 100) * 1000), heartbeat=1_000_000)
        expires = {"first": start + 100, "new": start + 10_000}
        while not refreshed or refreshed[-1] != "new":
            frame = await peer.hear("refresh")
            refreshed.append(frame["token"])
            if frame["token"] == "refused":
                error = {"code": 4500, "message": "no", "temporary": False}
                await peer.send("reply", id=frame["id"], ok=False, error=error)
            else:
                at = round(expires[frame["token"]] * 1000)
                await peer.send("reply", id=frame["id"], ok=True, expires=at)
        await answer(peer)

    options = {"wall_clock": trio.current_time, "on_ready": readies.append}
    async with server(script) as url, join(url, token=token, **options) as client:
        await trio.sleep(90)
        assert await client.say("still here?") == StartedRun(RUN, THREAD)
    assert refreshed == ["first", "refused", "new"]
    assert len(readies) == 1


# Limits


@pytest.mark.fault("C2")
async def test_a_message_over_the_limit_fails_alone_and_names_both_sizes():
    frames = []

    async def script(peer):
        await peer.welcome(2000, max_frame_bytes=4096)
        frames.extend(await answer(peer, among=["displayed", "confirm"]))

    async with server(script) as url, join(url) as client:
        with pytest.raises(BadMessage, match=r"5,0\d\d bytes, and the server takes 4,096 at most"):
            await client.say("x" * 5000)
        with pytest.raises(BadMessage, match="4,096"):
            await client.confirm(1, verdict="x" * 5000)
        await client.displayed(range(2**53 - 1000, 2**53))
        assert await client.say("x" * 1000) == StartedRun(RUN, THREAD)
    assert [frame["type"] for frame in frames] == ["displayed"] * len(frames)
    assert sum(len(frame["offsets"]) for frame in frames) == 1000


@pytest.mark.fault("C2")
async def test_what_was_said_while_away_and_is_too_big_fails_at_ready_and_nothing_else_does():
    away = trio.Event()

    async def first(peer):
        await peer.welcome(max_frame_bytes=10_000)
        await peer.close(4105)
        away.set()

    async def second(peer):
        await peer.welcome(recovered=True, max_frame_bytes=2000)
        await answer(peer)

    async with server(first, None, second) as url, join(url) as client:
        await away.wait()
        async with trio.open_nursery() as nursery:

            async def too_much():
                with pytest.raises(BadMessage, match="2,000 at most"):
                    await client.say("x" * 3000)

            nursery.start_soon(too_much)
            assert await client.say("hi") == StartedRun(RUN, THREAD)


@pytest.mark.fault("C2")
async def test_a_message_for_which_the_socket_was_closed_is_not_sent_again():
    """A proxy may have a limit of its own."""

    async def first(peer):
        await peer.welcome()
        await peer.hear("say")
        await peer.close(1009)

    async def second(peer):
        await peer.welcome(recovered=True)
        assert (await peer.next())["body"] == "hi"

    async with server(first, second) as url, join(url) as client:
        with pytest.raises(BadMessage, match="the server takes less"):
            await client.say("x" * 3000)
        with trio.move_on_after(0.5):
            await client.say("hi")


@pytest.mark.fault("C3")
async def test_what_was_asked_while_away_comes_no_faster_than_the_server_takes_it(autojump_clock):
    away, came = trio.Event(), []

    async def first(peer):
        await peer.welcome()
        await peer.close(4105)
        away.set()

    async def second(peer):
        await peer.welcome(recovered=True, frames_per_second=10, frames_burst=20)
        for _ in range(150):
            frame = await peer.hear("history")
            came.append(trio.current_time())
            await peer.send("reply", id=frame["id"], ok=True, events=[], more=False)

    async with server(first, None, second) as url, join(url) as client:
        await away.wait()
        async with trio.open_nursery() as nursery:
            for _ in range(150):
                nursery.start_soon(client.history)
    for later in (1, 5, 10):
        assert sum(came[0] <= each <= came[0] + later for each in came) <= 20 + 10 * later


# Slow links


@pytest.mark.fault("D7")
async def test_a_client_waits_as_long_as_bytes_come(slow_clock):
    """From a server that does not say how long a frame is."""

    async def first(peer):
        await peer.welcome(heartbeat=4000)
        await peer.send_events(*range(1, 500))  # 140 kB

    async with (
        server(first) as url,
        open_slow_link(int(url.rpartition(":")[2]), bytes_per_second=5000.0) as link,
        join(f"ws://127.0.0.1:{link.port}") as client,
    ):
        assert len(await take(client, 499, seconds=300)) == 499
        assert link.connections == 1


@pytest.mark.fault("D7")
async def test_a_client_waits_for_a_frame_that_was_announced_as_long_as_it_may_take(autojump_clock):
    """Its bytes may be on their way though none comes through a proxy that collects them."""
    codes = []

    async def first(peer):
        await peer.welcome(heartbeat=4000)
        await peer.send("large", bytes=400 * 1024)
        await trio.sleep(99)
        await peer.send_events(1)
        codes.append(await peer.closed_with())

    async def second(peer):
        await peer.welcome(1, recovered=True)
        await peer.send_events(2)

    async with server(first, second) as url, join(url) as client:
        assert await take(client, 2, seconds=300) == [1, 2]
    assert codes == [4101], "it waits no longer than ever for what comes after that frame"


# Ways


@pytest.mark.fault("C4")
@pytest.mark.parametrize(
    ("answered", "error", "words"),
    [
        (ELSEWHERE, Refused, "HTTP 301: .*https://b.example/"),
        (PAGE, Refused, "HTTP 200: a page of text/html"),
        (ENDLESS_PAGE, Refused, "HTTP 200: a page of text/html"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", CannotConnect, "does not speak HTTP: b'SSH-2.0-OpenSSH"),
    ],
    ids=["a redirect", "a page", "a page without an end", "another protocol"],
)
async def test_what_is_no_greenroom_is_raised_with_its_true_cause(answered, error, words):
    async with server(answered, welcome) as url:
        with trio.fail_after(30), pytest.raises(error, match=words):
            async with join(url):
                pass
        async with join(url):
            pass


@pytest.mark.fault("C4")
async def test_a_certificate_that_is_not_trusted_is_raised_and_can_be_trusted(tmp_path):
    for_server, for_client = self_signed(tmp_path)
    async with server(b"", welcome, tls=for_server) as url:
        with trio.fail_after(30), pytest.raises(CannotConnect, match=r"certificate.* not trusted"):
            async with join(url):
                pass
        async with join(url, ssl_context=for_client) as client:
            assert client.user == "alice"


@pytest.mark.fault("C4")
async def test_tls_to_a_server_without_it_is_raised():
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n", welcome) as url:
        with trio.fail_after(30), pytest.raises(CannotConnect, match="the TLS handshake with"):
            async with join(url.replace("ws://", "wss://")):
                pass
        with pytest.raises(BadUrl, match="no TLS"):
            async with join(url, ssl_context=self_signed):
                pass
        async with join(url):
            pass


@pytest.mark.fault("C4")
@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        ("503 Service Unavailable", "Retry-After: 7", 7),
        ("429 Too Many Requests", "Retry-After: 7", 7),
        ("503 Busy", f"{NOW}Retry-After: Sat, 28 Nov 2026 19:00:30 GMT", 30),
        ("503 Busy", f"{NOW}Retry-After: Sat, 28 Nov 2026 18:00:00 GMT", 0),
        ("503 Busy", "Retry-After: Sat, 28 Nov 2026 19:00:30 GMT", 0),
        ("503 Busy", "Retry-After: " + "9" * 5_000, 300),
        ("503 Busy", f"{NOW}Retry-After: soon", 0),
        ("502 Bad Gateway", "Server: a proxy", 0),
    ],
    ids=["503", "429", "a date", "past", "no clock", "for ever", "neither", "none"],
)
async def test_a_server_that_takes_nobody_now_is_tried_again_and_not_before_it_says(
    status, headers, seconds, autojump_clock
):
    """Also one that was never reached."""
    busy = f"HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: 0\r\n\r\n".encode()
    came = []

    async def first(peer):
        came.append(trio.current_time())
        await peer.welcome()
        await peer.close(4105)

    async def last(peer):
        came.append(trio.current_time())
        await peer.welcome(recovered=True)
        await peer.send_events(1)

    began = trio.current_time()
    async with server(busy, busy, first, busy, last) as url, join(url) as client:
        assert await take(client, 1, seconds=1_000) == [1]
    assert [each - began for each in came] == pytest.approx([2 * seconds, 3 * seconds], abs=0.01)


@pytest.mark.fault("C4")
async def test_what_a_busy_server_asks_for_is_spread_so_that_not_all_come_at_once(autojump_clock):
    asked = []

    def uniform(low, high):
        asked.append((low, high))
        return high

    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n"
    scripts = [busy % b"3", busy % b"0", busy % b"60", busy % b"soon", welcome]
    async with server(*scripts) as url, join(url, uniform=uniform):
        pass
    assert asked == [(0, 3.0), (0, 0.0), (0, 1.0), (0, 20.0), (0, 2.0), (0, 4.0)]


class NoSuchHost(trio.abc.HostnameResolver):
    """A name service that knows nobody."""

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, sockaddr, flags):
        raise AssertionError("not asked for")


@pytest.mark.fault("C4")
async def test_a_host_that_does_not_exist_is_raised():
    trio.socket.set_custom_hostname_resolver(NoSuchHost())
    with pytest.raises(CannotConnect, match=r"greenroom\.example"):
        async with join("ws://greenroom.example"):
            pass


@pytest.mark.fault("C4")
async def test_what_stands_in_a_servers_place_for_a_while_is_warned_of_once_and_waited_for(caplog):
    async def first(peer):
        await peer.welcome()
        await peer.close(4105)

    async def last(peer):
        await peer.welcome(recovered=True)
        await peer.send_events(1)

    scripts = [first, PAGE, PAGE, None, None, PAGE, ELSEWHERE, last]
    async with server(*scripts) as url, join(url) as client:
        assert await take(client, 1) == [1]
    causes = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert [("200" in cause, "hung up" in cause, "301" in cause) for cause in causes] == [
        (True, False, False),
        (False, True, False),
        (True, False, False),
        (False, False, True),
    ]


# Reports and callbacks


@pytest.mark.fault("D5")
async def test_a_report_on_events_that_are_no_longer_so_is_not_sent(caplog):
    away, heard = trio.Event(), []

    async def first(peer):
        await peer.welcome(**{"from": 0})
        await peer.send_events(1, 2)
        await peer.close(4105)
        away.set()

    async def second(peer):
        await peer.welcome(9, **{"from": 1})
        heard.extend(await answer(peer, among=["displayed"]))

    async with server(first, None, second) as url, join(url) as client:
        assert await take(client, 2) == [1, 2]
        await away.wait()
        await client.displayed([2])
        await client.displayed([1])
        await client.say("hi")
        assert client.position.offset == 1
    assert [frame["offsets"] for frame in heard] == [[1]]
    assert "its events are gone" in caplog.text


async def test_a_callback_that_fails_is_logged_and_costs_no_connection(caplog):
    async def script(peer):
        await peer.welcome()
        await peer.send_events(1)

    def fail(_):
        raise ZeroDivisionError("by the program")

    async with server(script) as url, join(url, on_ready=fail) as client:
        assert await take(client, 1) == [1]
    assert "by the program" in caplog.text
