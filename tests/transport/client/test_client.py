"""The Python client over real sockets, against scripted servers behind the real front door."""

from functools import partial

import pytest
import trio

from greenroom.transport.client.client import MAX_WAITING_EVENTS, ClientClosed, StartedRun
from greenroom.transport.client.client_error import ClientError
from greenroom.transport.client.frames import Position, RequestFailed
from greenroom.transport.client.handshake import Refused
from greenroom.transport.client.line import SessionClosed
from greenroom.transport.client.socket import BadUrl
from greenroom.transport.protocol.wire import FEATURES
from tests.transport.client.scripted_server import (
    EVENT,
    RUN,
    SESSION,
    THREAD,
    TOKEN,
    event,
    join,
    server,
    take,
)


async def test_events_arrive_in_order_and_are_acked():
    acks = []

    async def script(peer):
        assert await peer.welcome(7) == {"type": "hello", "features": list(FEATURES)}
        await peer.send_events(*range(8, 11))
        acks.append((await peer.hear("ack"))["offset"])

    async with server(script) as url, join(url) as client:
        assert client.user == "alice"
        assert await take(client, 3) == [8, 9, 10]
        assert client.position == Position(SESSION, "e", 10, EVENT)
    assert acks == [10]


async def test_what_was_received_is_acked_even_when_the_program_leaves_at_once():
    acks = []

    async def script(peer):
        await peer.welcome()
        await peer.send_events(1)
        acks.append((await peer.hear("ack"))["offset"])

    async with server(script) as url, join(url) as client:
        await take(client, 1)
    assert acks == [1]


async def test_a_broken_connection_is_resumed_where_it_was():
    async def first(peer):
        await peer.welcome()
        await peer.send_events(1, 2)
        await peer.hear("ack")
        await peer.close(4105)

    async def second(peer):
        hello = await peer.welcome(3, recovered=True)
        assert (hello["session"], hello["epoch"], hello["offset"]) == (SESSION, "e", 2)
        await peer.send_events(2, 3)

    async with server(first, None, second) as url, join(url) as client:
        assert await take(client, 3) == [1, 2, 3]


async def test_a_gap_makes_the_client_reconnect():
    codes = []

    async def first(peer):
        await peer.welcome()
        await peer.send_events(1, 3)
        codes.append(await peer.closed_with())

    async def second(peer):
        assert (await peer.welcome(3, recovered=True))["offset"] == 1
        await peer.send_events(2, 3)

    async with server(first, second) as url, join(url) as client:
        assert await take(client, 3) == [1, 2, 3]
    assert codes == [4106]


async def test_a_say_is_sent_again_with_the_same_id_until_it_is_answered():
    ids = []

    async def first(peer):
        await peer.welcome()
        ids.append((await peer.hear("say"))["id"])
        await peer.close(1001)

    async def second(peer):
        await peer.welcome(recovered=True)
        ids.append((await peer.hear("say"))["id"])
        await peer.send("reply", id=ids[-1], ok=True, run=RUN, thread=THREAD)

    async with server(first, second) as url, join(url) as client:
        with trio.fail_after(30):
            assert await client.say("hi") == StartedRun(RUN, THREAD)
    assert len(ids) == 2
    assert ids[0] == ids[1]


async def test_an_id_in_use_is_not_asked_with_again():
    async def script(peer):
        await peer.welcome()
        await peer.hear("say")

    async with server(script) as url, join(url) as client, trio.open_nursery() as nursery:
        nursery.start_soon(partial(client.say, "hi", id="1"))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ClientError, match="'1' still waits"):
            await client.say("hi", id="1")
        nursery.cancel_scope.cancel()


async def test_every_request_and_report_has_its_frame():
    heard = []

    async def script(peer):
        await peer.welcome()
        heard.append(await peer.hear("cancel"))
        await peer.send("reply", id=heard[-1]["id"], ok=True, run=RUN)
        heard.append(await peer.hear("history"))
        await peer.send(
            "reply", id=heard[-1]["id"], ok=True, events=[event(1), event(2)], more=True
        )
        heard.append(await peer.hear("refresh"))
        await peer.send("reply", id=heard[-1]["id"], ok=True, expires=99)
        heard.extend([await peer.hear(name) for name in ("displayed", "confirm", "typing")])

    async with server(script) as url, join(url) as client:
        await client.cancel(RUN)
        page = await client.history(THREAD, before=9, limit=2)
        assert ([each.offset for each in page.events], page.more) == ([1, 2], True)
        assert await client.refresh("new token") == 99
        await client.displayed([1, 2])
        await client.confirm(2, verdict={"useful": True}, note="thanks")
        await client.typing(THREAD)
    frames = [{k: v for k, v in frame.items() if k not in ("type", "id")} for frame in heard]
    assert frames == [
        {"run": RUN},
        {"limit": 2, "thread": THREAD, "before": 9},
        {"token": "new token"},
        {"offsets": [1, 2]},
        {"offset": 2, "verdict": {"useful": True}, "note": "thanks"},
        {"thread": THREAD},
    ]


async def test_a_refused_request_raises_with_the_servers_words():
    async def script(peer):
        await peer.welcome()
        say = await peer.hear("say")
        error = {"code": 4502, "message": "no such thread", "temporary": False}
        await peer.send("reply", id=say["id"], ok=False, error=error)

    async with server(script) as url, join(url) as client:
        with pytest.raises(RequestFailed, match="no such thread") as caught:
            await client.say("hi")
        assert not caught.value.temporary


async def test_pings_are_answered_and_typing_is_shown():
    typing = []

    async def script(peer):
        await peer.welcome()
        await peer.send("typing", **{"thread": THREAD, "from": "analyst"})
        await peer.send("ping")
        await peer.hear("pong")

    def show(*seen):
        typing.append(seen)

    async with server(script) as url, join(url, on_typing=show):
        await trio.testing.wait_all_tasks_blocked(0.1)
    assert typing == [(THREAD, "analyst")]


async def test_a_silent_server_is_left():
    codes = []

    async def first(peer):
        await peer.welcome(heartbeat=60)
        codes.append(await peer.closed_with())

    async def second(peer):
        await peer.welcome(1, recovered=True)
        await peer.send_events(1)

    async with server(first, second) as url, join(url) as client:
        assert await take(client, 1) == [1]
    assert codes == [4101]


async def test_the_client_comes_back_when_closing_says():
    asked = []

    def uniform(low, high):
        asked.append((low, high))
        return 0.0

    async def first(peer):
        await peer.welcome()
        await peer.send(
            "closing", code=1001, reason="drain", reconnect={"after_ms": 20, "jitter_ms": 3000}
        )
        await peer.close(1001)

    async def second(peer):
        await peer.welcome(1, recovered=True)
        await peer.send_events(1)

    async with server(first, None, None, second) as url, join(url, uniform=uniform) as client:
        await take(client, 1)
    assert asked == [(0, 3.0), (0, 1.0), (0, 2.0)]


async def test_the_backoff_grows_from_half_a_second_to_twenty():
    asked = []

    def uniform(low, high):
        asked.append((low, high))
        return 0.0

    async def last(peer):
        await peer.welcome()

    async with server(*[None] * 8, last) as url, join(url, uniform=uniform):
        pass
    assert asked == [(0, high) for high in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0)]


@pytest.mark.parametrize("code", [4500, 4502, 4504, 4506, 4999, 1009])
async def test_a_code_that_says_not_to_come_back_is_raised_everywhere(code):
    async def script(peer):
        await peer.welcome()
        await peer.send_events(1)
        await peer.hear("ack")
        await peer.close(code)

    async with server(script) as url:
        with pytest.raises(SessionClosed) as caught:
            async with join(url) as client:
                await take(client, 2)
        assert caught.value.code == code
        with pytest.raises(SessionClosed):
            await client.say("hi")


async def test_a_refused_upgrade_is_raised_with_the_servers_words():
    async def welcome(peer):
        await peer.welcome()

    async with server(welcome, welcome) as url:
        with pytest.raises(Refused, match="HTTP 401: Not admitted: the token is malformed"):
            async with join(url, token="a.b.c"):
                pass
        async with join(url):
            pass


async def test_a_token_may_be_fetched_for_each_connect():
    fetched = []

    async def fetch():
        fetched.append(1)
        return TOKEN

    async def first(peer):
        await peer.welcome()
        await peer.close(4104)

    async def second(peer):
        await peer.welcome(1, recovered=True)
        await peer.send_events(1)

    async with server(first, second) as url, join(url, token=fetch) as client:
        await take(client, 1)
    assert len(fetched) == 2


async def test_a_say_in_the_middle_of_a_flood_is_answered():
    count = 3 * MAX_WAITING_EVENTS

    async def script(peer):
        await peer.welcome()
        for start in range(1, count, 128):
            await peer.send_events(*range(start, start + 128))
        say = await peer.hear("say")
        await peer.send("reply", id=say["id"], ok=True, run=RUN, thread=THREAD)

    async with server(script) as url, join(url) as client:
        with trio.fail_after(30):
            async for _ in client.events():
                assert await client.say("hi") == StartedRun(RUN, THREAD)
                break
        assert await take(client, count - 1) == list(range(2, count + 1))


async def test_a_client_that_takes_no_events_stops_reading():
    async def script(peer):
        await peer.welcome()
        for start in range(1, 8 * MAX_WAITING_EVENTS, 128):
            await peer.send_events(*range(start, start + 128))
        await peer.hear("ack")

    async with server(script) as url, join(url) as client:
        await trio.testing.wait_all_tasks_blocked(0.1)
        assert len(client._inbox) < MAX_WAITING_EVENTS + 128
        await take(client, 8 * MAX_WAITING_EVENTS)


async def test_the_bodys_own_error_comes_out_as_itself():
    async def script(peer):
        await peer.welcome()

    async with server(script) as url:
        with pytest.raises(ZeroDivisionError):
            async with join(url):
                raise ZeroDivisionError


@pytest.mark.fault("P4")
async def test_what_a_server_says_forges_no_line_of_a_programs_log(caplog):
    caplog.set_level("INFO", "greenroom")

    async def first(peer):
        await peer.welcome()
        await peer.send("error", code=4502, message="no\n\x1b[2J", temporary=False)
        reconnect = {"after_ms": 0, "jitter_ms": 0}
        await peer.send("closing", code=1001, reason="no\n\u2028", reconnect=reconnect)
        await peer.close(1001)

    async def second(peer):
        await peer.welcome(1, recovered=True)
        await peer.send_events(1)

    async with server(first, second) as url, join(url) as client:
        await take(client, 1)
    assert [len(each.splitlines()) for each in caplog.messages] == [1] * len(caplog.messages)
    assert r"no\n\x1b[2J" in caplog.text
    assert r"no\n\u2028" in caplog.text


async def test_after_its_block_a_client_is_closed():
    async def script(peer):
        await peer.welcome()

    async with server(script) as url:
        async with join(url) as client:
            pass
        for use in (client.say("hi"), client.confirm(1), anext(client.events())):
            with pytest.raises(ClientClosed):
                await use


@pytest.mark.parametrize("url", ["http://a", "ws://", "a:1", ""])
async def test_a_url_that_is_no_servers_is_refused(url):
    with pytest.raises(BadUrl):
        async with join(url):
            pass
