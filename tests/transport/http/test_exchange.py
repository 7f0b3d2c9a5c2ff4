"""Request after request on one connection, each with its body, on streams in memory."""

import h11
import pytest
import trio
from trio.testing import memory_stream_pair

from greenroom.transport.http.body import BadBody, lines, whole
from greenroom.transport.http.exchange import BODY_SECONDS, IDLE_SECONDS, Exchange
from greenroom.transport.http.request_head import HeadParser
from greenroom.transport.http.responses import Response, text

HEAD = b"POST /api/echo HTTP/1.1\r\nHost: a\r\n"


async def echo(head):
    try:
        return Response(200, await whole(head.body, 1_000))
    except BadBody as error:
        return text(error.status, error.message)


async def serve(stream, answer=echo):
    parser = HeadParser(lambda _: True)
    head = None
    while head is None:
        head = parser.feed(bytes(await stream.receive_some()))
    await Exchange(stream, parser.connection(), head, lambda: 0.0).serve(answer)


async def answers(client, count=1):
    """The next answers, read by h11 as a client: status and body."""
    found = []
    buffer = b""
    for _ in range(count):
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="POST", target="/", headers=[("Host", "a")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(buffer) if buffer else None
        status, body = None, b""
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                reader.receive_data(bytes(await client.receive_some()))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        buffer = bytes(reader.trailing_data[0])
        found.append((status, body))
    return found


def request(body):
    return HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_a_connection_answers_request_after_request(autojump_clock):
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        await client.send_all(request(b"one") + request(b"two"))
        assert await answers(client, 2) == [(200, b"one"), (200, b"two")]
        await client.send_all(request(b"three"))
        assert await answers(client) == [(200, b"three")]
        await client.aclose()


async def test_the_cut_of_the_bytes_does_not_matter(autojump_clock):
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        for byte in request(b"one") + request(b"two"):
            await client.send_all(bytes([byte]))
        assert await answers(client, 2) == [(200, b"one"), (200, b"two")]
        await client.aclose()


async def test_a_body_in_chunks_is_whole(autojump_clock):
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        chunks = b"3\r\none\r\n2\r\n s\r\n0\r\n\r\n"
        await client.send_all(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        assert await answers(client) == [(200, b"one s")]
        await client.aclose()


async def test_a_client_that_asks_first_is_told_to_go_on(autojump_clock):
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        await client.send_all(HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.receive_some()).startswith(b"HTTP/1.1 100 ")
        await client.send_all(b"one")
        assert await answers(client) == [(200, b"one")]
        await client.aclose()


async def test_a_body_that_is_not_wanted_is_passed_over(autojump_clock):
    async def refuse(_):
        return text(403, "no")

    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, refuse)
        await client.send_all(request(b"x" * 100) + request(b"y"))
        assert await answers(client, 2) == [(403, b"no\n"), (403, b"no\n")]
        await client.aclose()


async def test_a_body_past_the_limit_ends_the_connection_with_413(autojump_clock):
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        await client.send_all(HEAD + b"Content-Length: 900000\r\n\r\n" + b"x" * 2_000)
        assert [status for status, _ in await answers(client)] == [413]
        assert await client.receive_some() == b""


async def test_a_body_that_does_not_come_is_given_up(autojump_clock):
    client, server = memory_stream_pair()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        await client.send_all(HEAD + b"Content-Length: 9\r\n\r\nx")
        assert [status for status, _ in await answers(client)] == [408]
        assert trio.current_time() - began == pytest.approx(BODY_SECONDS)
        assert await client.receive_some() == b""


async def test_a_connection_without_requests_is_closed(autojump_clock):
    client, server = memory_stream_pair()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        await client.send_all(request(b"one"))
        await answers(client)
        assert await client.receive_some() == b""
    assert trio.current_time() - began == pytest.approx(IDLE_SECONDS)


async def test_what_is_no_request_is_refused_once(autojump_clock):
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        await client.send_all(request(b"one") + b"nonsense\r\n\r\n")
        assert [status for status, _ in await answers(client, 2)] == [200, 400]
        assert await client.receive_some() == b""


async def test_a_client_that_leaves_amid_a_body_is_no_error(autojump_clock):
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        await client.send_all(HEAD + b"Content-Length: 9\r\n\r\nx")
        await client.aclose()


class Pieces:
    def __init__(self, *pieces):
        self.left = list(pieces)

    async def receive(self):
        return self.left.pop(0) if self.left else b""


@pytest.mark.parametrize(
    "pieces", [(b"a\nb\n\nc",), (b"a", b"\n", b"b\nc\n"), (b"a\n", b"b\n", b"c")]
)
async def test_lines_come_whole_whatever_the_pieces(pieces):
    assert [line async for line in lines(Pieces(*pieces), 10)] == [b"a", b"b", b"c"]


async def test_a_line_past_the_limit_is_refused_before_it_has_come_whole():
    with pytest.raises(BadBody, match="a line has more than 4 bytes"):
        [line async for line in lines(Pieces(b"12345", *[b"6"] * 1_000), 4)]
