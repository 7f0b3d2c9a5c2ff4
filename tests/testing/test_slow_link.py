"""`open_slow_link`: as slow, far away, stalled or cut as a test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from greenroom.testing import SlowLink, open_slow_link


@asynccontextmanager
async def echoing(**options: float) -> AsyncIterator[tuple[SlowLink, trio.SocketStream]]:
    """A link to a server that says again what it hears, and a client at the link's other end."""

    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, echo, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        port = listener.socket.getsockname()[1]
        async with (
            open_slow_link(port, **options) as link,
            await trio.open_tcp_stream("127.0.0.1", link.port) as client,
        ):
            yield link, client
        nursery.cancel_scope.cancel()


async def hear(client: trio.SocketStream, size: int) -> None:
    while size > 0:
        size -= len(await client.receive_some(size))


@pytest.fixture
def slow_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


async def test_bytes_take_their_time_both_ways(slow_clock: MockClock) -> None:
    async with echoing(bytes_per_second=1000.0, latency=0.5) as (link, client):
        began = trio.current_time()
        await client.send_all(bytes(5000))
        await hear(client, 5000)
        assert 5.9 <= trio.current_time() - began <= 7.5  # the echo follows on the heels
        assert (link.sent_up, link.sent_down, link.connections) == (5000, 5000, 1)


async def test_a_stall_lets_nothing_through_until_it_ends(slow_clock: MockClock) -> None:
    async with echoing() as (link, client):
        await client.send_all(b"one")
        await hear(client, 3)
        link.stall()
        await client.send_all(b"two")
        with trio.move_on_after(60) as waited:
            await hear(client, 3)
        assert waited.cancelled_caught
        assert (link.live, link.sent_down) == (1, 3)
        link.flow()
        await hear(client, 3)


async def test_a_cut_breaks_what_there_is_and_no_more(slow_clock: MockClock) -> None:
    async with echoing() as (link, client):
        await client.send_all(b"one")
        await hear(client, 3)
        link.cut()
        with suppress(trio.BrokenResourceError):  # a reset is an end, too
            assert await client.receive_some() == b""
        assert link.live == 0
        async with await trio.open_tcp_stream("127.0.0.1", link.port) as another:
            await another.send_all(b"two")
            await hear(another, 3)
        assert link.connections == 2


async def test_without_a_server_a_client_sees_its_connection_end(slow_clock: MockClock) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    async with (
        open_slow_link(port) as link,
        await trio.open_tcp_stream("127.0.0.1", link.port) as client,
    ):
        assert await client.receive_some() == b""
