"""A stream whose first bytes were read before."""

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from greenroom.transport.door.early_stream import ReplayStream


async def test_nothing_follows_the_head_before_an_answer_is_sent():
    client, server = memory_stream_pair()
    await client.send_all(b"late")
    stream = ReplayStream(server, b"head", b"early")
    assert await stream.receive_some() == b"head"
    received = []

    async def read():
        received.append(await stream.receive_some())
        received.append(await stream.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        assert received == []
        await stream.send_all(b"101")
    assert received == [b"early", b"late"]
    assert await client.receive_some() == b"101"


async def test_the_replayed_bytes_come_in_pieces_as_small_as_asked_for():
    _, server = memory_stream_pair()
    stream = ReplayStream(server, b"head", b"early")
    await stream.send_all(b"101")
    assert [await stream.receive_some(3) for _ in range(4)] == [b"hea", b"d", b"ear", b"ly"]


async def test_closing_wakes_the_reader():
    _, server = memory_stream_pair()
    stream = ReplayStream(server, b"")
    async with trio.open_nursery() as nursery:

        async def read():
            with pytest.raises(trio.ClosedResourceError):
                await stream.receive_some()

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        await stream.aclose()
